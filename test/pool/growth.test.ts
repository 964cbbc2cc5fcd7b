import { describe, expect, it } from 'vitest'
import { growBy, MAX_CONNECTING, type PoolCounts, wantsReserve, wantsShare } from '../../pool/growth.ts'

const IDLE: PoolCounts = { size: 5, minSize: 0, servers: 0, opening: 0, returning: 0, waiting: 0 }

describe('growBy', () => {
  it.each<[string, Partial<PoolCounts>, number]>([
    ['nobody waits', {}, 0],
    ['one for each who waits', { waiting: 3 }, 3],
    ['not past the size', { waiting: 9 }, 5],
    ['not past the size, with servers', { waiting: 9, servers: 3 }, 2],
    ['not for those that are on their way', { waiting: 3, opening: 2 }, 1],
    ['not for those that come back in a moment', { waiting: 3, servers: 2, returning: 2 }, 1],
    ['not more at once than the server takes', { size: 100, waiting: 100 }, MAX_CONNECTING],
    ['not more at once, with some under way', { size: 100, waiting: 100, opening: MAX_CONNECTING }, 0],
    ['up to the minimum', { minSize: 3, servers: 1 }, 2],
    ['up to the minimum, with some under way', { minSize: 3, servers: 1, opening: 1 }, 1],
    ['the minimum within the size', { minSize: 9 }, 5],
    ['waiters beyond the minimum', { minSize: 1, waiting: 4 }, 4],
    ['a share that became smaller', { size: 2, servers: 4, waiting: 3 }, 0],
  ])('%s', (_, part, expected) => {
    expect(growBy({ ...IDLE, ...part })).toBe(expected)
  })
})

describe('wantsShare', () => {
  it.each<[string, Partial<PoolCounts>, boolean]>([
    ['nobody waits', { servers: 5 }, false],
    ['there is room', { servers: 4, waiting: 1 }, false],
    ['full, and someone waits', { servers: 5, waiting: 1 }, true],
    ['full with those on their way, which serve all who wait', { servers: 4, opening: 1, waiting: 1 }, false],
    ['full with those on their way, and more wait', { servers: 4, opening: 1, waiting: 2 }, true],
  ])('%s', (_, part, expected) => {
    expect(wantsShare({ ...IDLE, ...part })).toBe(expected)
  })
})

describe('wantsReserve', () => {
  const full = {
    ...IDLE,
    servers: 5,
    waiting: 2,
    reserveSize: 2,
    reserveAfterMs: 5000,
    reserveAsked: 0,
    firstWaitUs: 6_000_000,
  }
  it.each<[string, Partial<typeof full>, boolean]>([
    ['full, and the first has waited long enough', {}, true],
    ['not yet', { firstWaitUs: 4_000_000 }, false],
    ['there is none', { reserveSize: 0 }, false],
    ['it is asked for already', { reserveAsked: 1 }, false],
    ['the pool still grows', { servers: 3 }, false],
  ])('%s', (_, part, expected) => {
    expect(wantsReserve({ ...full, ...part })).toBe(expected)
  })
})
