import { describe, expect, it } from 'vitest'
import { divideSlots, slotRunsProblem, slotsPerShard } from '../../../src/topology/slot-map.ts'
import { SLOT_COUNT, slotTable } from '../../../src/topology/topology.ts'

describe('slot map', () => {
  it('gives shard i the slots floor(i*16384/n) to floor((i+1)*16384/n)-1', () => {
    expect(divideSlots(3)).toEqual([
      [0, 0],
      [5461, 1],
      [10922, 2],
    ])
    for (const n of [1, 2, 5, 7, 100, SLOT_COUNT]) {
      const slotRuns = divideSlots(n)
      expect(slotRunsProblem(slotRuns, n)).toBeNull()
      const table = slotTable({ name: '', defaultShard: '', shards: [], shardNames: [], slotRuns })
      for (let i = 0; i < n; i++) {
        const from = Math.floor((i * SLOT_COUNT) / n)
        const to = Math.floor(((i + 1) * SLOT_COUNT) / n) - 1
        expect([table[from], table[to]]).toEqual([i, i])
      }
      expect(slotsPerShard(slotRuns, n).reduce((a, b) => a + b)).toBe(SLOT_COUNT)
    }
  })

  it('refuses impossible numbers of shards', () => {
    for (const n of [0, -1, 1.5, SLOT_COUNT + 1]) expect(() => divideSlots(n)).toThrow(RangeError)
  })

  it.each([
    [[]],
    [[[1, 0]]],
    [[[0, 2]]],
    [
      [
        [0, 0],
        [5, 0],
      ],
    ],
    [
      [
        [0, 0],
        [0, 1],
      ],
    ],
    [
      [
        [0, 0],
        [SLOT_COUNT, 1],
      ],
    ],
  ] as Array<[Array<[number, number]>]>)('finds what is wrong with %j', runs => {
    expect(slotRunsProblem(runs, 2)).not.toBeNull()
  })
})
