/** Slot maps as runs: how they are made, checked and compared. Pure. */
import { type DatabaseTopology, SLOT_COUNT } from './topology.ts'

export type SlotRuns = DatabaseTopology['slotRuns']

/** Equal parts in the order of the config: shard i of n owns floor(i·16384/n) … floor((i+1)·16384/n)−1. */
export function divideSlots(shardCount: number): SlotRuns {
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > SLOT_COUNT) {
    throw new RangeError(`a database has 1 to ${SLOT_COUNT} shards, not ${shardCount}`)
  }
  const runs: Array<readonly [number, number]> = []
  for (let i = 0; i < shardCount; i++) runs.push([Math.floor((i * SLOT_COUNT) / shardCount), i])
  return runs
}

/** What is wrong with the runs, or null. Each slot must have exactly one owner, in one way of writing it down. */
export function slotRunsProblem(runs: SlotRuns, shardCount: number): string | null {
  let before = -1
  let owner = -1
  for (const [slot, shard] of runs) {
    if (!Number.isInteger(slot) || slot <= before || slot >= SLOT_COUNT) return `run starts at slot ${slot}`
    if (before === -1 && slot !== 0) return 'the first run does not start at slot 0'
    if (!Number.isInteger(shard) || shard < 0 || shard >= shardCount) return `slot ${slot} has no shard`
    if (shard === owner) return `the run at slot ${slot} continues the one before`
    before = slot
    owner = shard
  }
  return before === -1 ? 'no run at all' : null
}

/** Number of slots of each shard, by index. */
export function slotsPerShard(runs: SlotRuns, shardCount: number): number[] {
  const counts = Array.from({ length: shardCount }, () => 0)
  for (let i = 0; i < runs.length; i++) {
    const run = runs[i]
    if (run === undefined) continue
    const end = runs[i + 1]?.[0] ?? SLOT_COUNT
    counts[run[1]] = (counts[run[1]] ?? 0) + end - run[0]
  }
  return counts
}
