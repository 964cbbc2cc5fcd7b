import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, type Message, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

const V3_0 = 196608
const V3_2 = 196610

describe('protocol versions', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 1, shards: 1, replicas: 0 })
  })
  afterAll(async () => {
    await system.stop()
  })

  async function login(protocol: number, parameters: Readonly<Record<string, string>> = {}): Promise<Message[]> {
    const wire = await system.open()
    const messages = await wire.login({ ...system.target(), protocol, parameters })
    expect(await valueOf(wire, 'SELECT 5')).toBe('5')
    await wire.end()
    return messages
  }

  const negotiated = (messages: readonly Message[]): string[] =>
    messages.filter(({ type }) => type === 'v').map(({ body }) => body.toString('hex'))
  const secretOf = (messages: readonly Message[]): number =>
    (messages.find(({ type }) => type === 'K')?.body.length ?? 0) - 4

  it.each([
    ['3.0', V3_0, 4, []],
    ['3.1', V3_0 + 1, 4, []],
    ['3.2', V3_2, 32, []],
    ['3.3', V3_2 + 1, 32, ['0003000200000000']],
    ['3.9999', V3_0 + 9999, 32, ['0003000200000000']],
  ])('%s', async (_name, protocol, secretBytes, expected) => {
    const messages = await login(protocol)
    expect(negotiated(messages)).toEqual(expected)
    expect(secretOf(messages)).toBe(secretBytes)
  })

  it('unknown options are named once, before authentication, and the login goes on', async () => {
    for (const protocol of [V3_0, V3_2, V3_2 + 5]) {
      const messages = await login(protocol, { '_pq_.one': '1', application_name: 'x', '_pq_.two': 'x' })
      expect(messages[0]?.type).toBe('v')
      const spoken = Math.min(protocol, V3_2).toString(16).padStart(8, '0')
      const options = Buffer.from('_pq_.one\0_pq_.two\0').toString('hex')
      expect(negotiated(messages)).toEqual([`${spoken}00000002${options}`])
    }
  })

  it('with 3.0 and options the answer is byte for byte that of a server', async () => {
    const oracle = system.oracleServer ?? { host: '', port: 0 }
    const parameters = { '_pq_.one': '1', '_pq_.two': 'x' }
    const direct = await Wire.open(oracle)
    const expected = await direct.login({ ...system.target(), protocol: V3_0, parameters })
    expect(negotiated(await login(V3_0, parameters))).toEqual(negotiated(expected))
    await direct.end()
  })

  it.each([
    ['2.0', 2 << 16],
    ['4.0', 4 << 16],
    ['1.0', 1 << 16],
  ])('%s is refused', async (name, protocol) => {
    const wire = await system.open()
    wire.send(frames.startup({ user: 'app', database: 'app' }, protocol))
    const error = errorOf(await wire.rest())
    expect([error?.['S'], error?.['C']]).toEqual(['FATAL', '0A000'])
    expect(error?.['M']).toContain(`unsupported frontend protocol ${name}`)
  })
})
