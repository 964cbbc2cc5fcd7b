import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'
import { adoptNewest } from '../../../src/topology/adopt.ts'
import { assemble, carryOver, stateOf } from '../../../src/topology/assemble.ts'

function config(...shards: string[]): Config {
  const text = shards.map(name => `[[databases.shards]]\nname = "${name}"\nnodes = ["h-${name}:1"]\n`).join('')
  return parseConfig(
    `[[users]]\nname = "app"\npassword = "x"\n[[databases]]\nname = "app"\ndefault_shard = "s0"\n${text}`,
    '/tmp',
  )
}

describe('assemble', () => {
  it('divides the slots of a new database over its shards', () => {
    const { view, notes } = assemble(config('s0', 's1'), null)
    expect(view.topology.databases[0]).toMatchObject({
      shardNames: ['s0', 's1'],
      slotRuns: [
        [0, 0],
        [8192, 1],
      ],
    })
    expect(notes).toEqual([])
  })

  it('keeps the map of the store, and gives a new shard no slots', () => {
    const first = assemble(config('s0', 's1'), null).view
    const stored = stateOf('0123456789abcdef', first, null)
    const { view, notes } = assemble(config('s0', 's1', 's2'), stored)
    expect(view.topology.databases[0]?.slotRuns).toEqual(first.topology.databases[0]?.slotRuns)
    expect(view.topology.databases[0]?.shards.map(shard => shard.name)).toEqual(['s0', 's1', 's2'])
    expect(notes.join()).toContain('s2')
  })

  it('keeps a shard that only the store knows, with its nodes', () => {
    const stored = stateOf('0123456789abcdef', assemble(config('s0', 's1'), null).view, null)
    const { view, notes } = assemble(config('s0'), stored)
    expect(view.topology.databases[0]?.shards[1]).toMatchObject({ name: 's1', nodes: [{ address: 'h-s1:1' }] })
    expect(notes.join()).toContain('s1')
  })

  it('changes nothing for the same config, and grows the epoch for another', () => {
    const before = assemble(config('s0', 's1'), null).view
    expect(carryOver(before, assemble(config('s0', 's1'), null).view).topology).toBe(before.topology)
    const grown = carryOver(before, assemble(config('s0', 's1', 's2'), null).view)
    expect(grown.topology.epoch).toBe(before.topology.epoch + 1)
  })

  it("adopts the shards' newest map past its epoch", () => {
    const before = assemble(config('s0', 's1'), null).view
    const map = {
      shardNames: ['s1', 's0'],
      slotRuns: [
        [0, 0],
        [100, 1],
      ] as Array<[number, number]>,
    }
    const after = adoptNewest(before, new Map([['app', { epoch: 41, map }]]))
    expect(after.topology.epoch).toBe(42)
    expect(after.topology.databases[0]).toMatchObject({ shardNames: ['s1', 's0'], slotRuns: map.slotRuns })
    expect(after.topology.databases[0]?.shards.map(shard => shard.name)).toEqual(['s1', 's0'])
  })
})
