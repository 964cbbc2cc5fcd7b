import { slotsPerShard } from '../topology/slot-map.ts'
import type { DatabaseTopology } from '../topology/topology.ts'

/** Number of slots that each shard owns, by its name. */
export function slotsByShard(database: DatabaseTopology): ReadonlyMap<string, number> {
  const counts = slotsPerShard(database.slotRuns, database.shardNames.length)
  return new Map(database.shardNames.map((name, index) => [name, counts[index] ?? 0]))
}
