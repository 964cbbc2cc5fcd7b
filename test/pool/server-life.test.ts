import { describe, expect, it } from 'vitest'
import { type IdleRules, type IdleServer, idleFate, lifetimeOf } from '../../pool/server-life.ts'

const RULES: IdleRules = { serverIdleTimeoutMs: 600_000, checkDelayMs: 30_000, checkQuery: '' }

describe('idleFate', () => {
  it.each<[string, Partial<IdleServer>, Partial<IdleRules>, boolean, string]>([
    ['just given back', {}, {}, true, 'keep'],
    ['long enough to be checked', { idleMs: 30_001 }, {}, true, 'check'],
    ['no check', { idleMs: 30_001 }, { checkQuery: null }, true, 'keep'],
    ['too long', { idleMs: 600_001 }, {}, true, 'end'],
    ['too long, but kept for the minimum', { idleMs: 600_001 }, {}, false, 'check'],
    ['never too long', { idleMs: 1e9 }, { serverIdleTimeoutMs: 0, checkQuery: null }, true, 'keep'],
    ['past its lifetime', { expired: true }, {}, true, 'end'],
    ['past its lifetime, of the minimum too', { expired: true }, {}, false, 'end'],
  ])('%s', (_, server, rules, spare, expected) => {
    expect(idleFate({ idleMs: 0, expired: false, ...server }, { ...RULES, ...rules }, spare)).toBe(expected)
  })
})

it('lifetimes are cut by up to a tenth', () => {
  expect([0, 0.5, 1].map(chance => lifetimeOf(3_600_000, chance))).toEqual([3_600_000, 3_420_000, 3_240_000])
})
