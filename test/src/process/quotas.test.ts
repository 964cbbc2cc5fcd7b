import { describe, expect, it } from 'vitest'
import { Quotas, type StatementLimits } from '../../../src/process/quotas.ts'

const NONE: StatementLimits = { perSecond: 0, concurrent: 0 }
const claim = (user: string, worker = 1, database = 'app') => ({ user, worker, database })

function quotas(user: Partial<StatementLimits>, database: Partial<StatementLimits> = {}): Quotas {
  return new Quotas((kind, name) => {
    if (kind === 'database') return { ...NONE, ...database }
    return name === 'free' ? NONE : { ...NONE, ...user }
  })
}

describe('statements per second', () => {
  it('a second’s worth at once, then as they come', () => {
    const all = quotas({ perSecond: 4 })
    const ask = (ms: number, worker = 1) => all.ask(claim('a', worker), 1, false, ms)?.limit ?? null
    expect([0, 0, 0, 0].map((ms, i) => ask(ms, i))).toEqual([null, null, null, null])
    expect(ask(0)).toBe('max_statements_per_second')
    expect(ask(249)).toBe('max_statements_per_second')
    expect(ask(250)).toBe(null)
    expect(ask(250)).toBe('max_statements_per_second')
    // What was not used is kept for a second, no longer.
    expect([10_000, 10_000, 10_000, 10_000, 10_000].map(ms => ask(ms))).toEqual([
      null,
      null,
      null,
      null,
      'max_statements_per_second',
    ])
  })

  it('each user for itself; a database over its users', () => {
    const all = quotas({ perSecond: 2 }, { perSecond: 3 })
    expect(all.ask(claim('a'), 2, false, 0)).toBe(null)
    expect(all.ask(claim('a'), 1, false, 0)).toMatchObject({ kind: 'user', name: 'a', value: 2 })
    expect(all.ask(claim('b'), 1, false, 0)).toBe(null)
    expect(all.ask(claim('b'), 1, false, 0)).toMatchObject({ kind: 'database', name: 'app', value: 3 })
    // What the database refused was not taken from the user.
    expect(all.ask(claim('b', 1, 'other'), 1, false, 0)).toBe(null)
    expect(all.ask(claim('b', 1, 'other'), 1, false, 0)).toMatchObject({ kind: 'user', name: 'b' })
  })

  it('a batch of more than a second’s worth takes all of it', () => {
    const all = quotas({ perSecond: 2 })
    expect(all.ask(claim('a'), 9, false, 0)).toBe(null)
    expect(all.ask(claim('a'), 1, false, 0)).not.toBe(null)
  })
})

describe('concurrent statements', () => {
  it('over workers, until they are done', () => {
    const all = quotas({ concurrent: 2 })
    const ask = (worker: number) => all.ask(claim('a', worker), 1, true, 0)?.limit ?? null
    expect([ask(1), ask(2), ask(3)]).toEqual([null, null, 'max_concurrent_statements'])
    expect(all.ask(claim('free'), 1, true, 0)).toBe(null)
    all.done(claim('a', 2))
    expect([ask(3), ask(1)]).toEqual([null, 'max_concurrent_statements'])
  })

  it('a part of a unit that has its slot needs no other', () => {
    const all = quotas({ concurrent: 1 })
    expect(all.ask(claim('a'), 1, true, 0)).toBe(null)
    expect(all.ask(claim('a'), 1, false, 0)).toBe(null)
  })

  it('those of a worker that is gone are over', () => {
    const all = quotas({ concurrent: 1 })
    all.ask(claim('a', 1), 1, true, 0)
    all.workerGone(1)
    expect(all.ask(claim('a', 2), 1, true, 0)).toBe(null)
    all.done(claim('a', 1))
    expect(all.ask(claim('a', 2), 1, true, 0)).not.toBe(null)
  })
})
