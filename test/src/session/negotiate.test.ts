import { describe, expect, it } from 'vitest'
import { negotiation, secretBytes, spokenVersion } from '../../../src/session/negotiate.ts'

const V = (minor: number): number => 196608 + minor

describe('negotiation', () => {
  it.each([
    [V(0), V(0), 4],
    [V(1), V(1), 4],
    [V(2), V(2), 32],
    [V(3), V(2), 32],
    [V(9999), V(2), 32],
  ])('of version %i', (requested, spoken, bytes) => {
    expect(spokenVersion(requested)).toBe(spoken)
    expect(secretBytes(spoken)).toBe(bytes)
    expect(negotiation(requested, ['user'])).toEqual(
      spoken === requested ? null : Buffer.from('760000000c0003000200000000', 'hex'),
    )
  })

  it('lists every unknown option, and says what is spoken', () => {
    const frame = negotiation(V(0), ['user', '_pq_.a', 'database', '_pq_.b'])
    expect(frame?.readInt32BE(5)).toBe(V(0))
    expect(frame?.readInt32BE(9)).toBe(2)
    expect(frame?.toString('latin1', 13)).toBe('_pq_.a\0_pq_.b\0')
    expect(frame?.readInt32BE(1)).toBe((frame?.length ?? 0) - 1)
  })
})
