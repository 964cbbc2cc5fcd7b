/** `shardway state recover`: the view that the shards' own mirrors give. Pure. */
import { slotRunsProblem } from './slot-map.ts'
import type { MirrorMap } from './mirror.ts'
import type { DatabaseTopology, Shard } from './topology.ts'
import type { View } from './view.ts'

export interface Newest {
  readonly epoch: number
  readonly map: MirrorMap | null
}

function withMap(database: DatabaseTopology, map: MirrorMap): DatabaseTopology {
  const shardNames = [...map.shardNames]
  for (const shard of database.shards) if (!shardNames.includes(shard.name)) shardNames.push(shard.name)
  const shards = shardNames.map(
    (name): Shard =>
      database.shards.find(shard => shard.name === name) ?? { name, dbname: database.name, term: 0, nodes: [] },
  )
  return { ...database, shards, shardNames, slotRuns: map.slotRuns }
}

/**
 * The newest map of each database replaces what the store said; databases without one keep theirs. What was remembered of
 * primaries and timelines is forgotten: the operator says that the shards, as they are, are right.
 */
export function adoptNewest(view: View, newest: ReadonlyMap<string, Newest>): View {
  let { epoch } = view.topology
  const databases = view.topology.databases.map(database => {
    const found = newest.get(database.name)
    if (found === undefined) return database
    epoch = Math.max(epoch, found.epoch)
    if (found.map === null || slotRunsProblem(found.map.slotRuns, found.map.shardNames.length) !== null) return database
    return withMap(database, found.map)
  })
  return { topology: { epoch: epoch + 1, databases }, facts: new Map(), observed: new Map() }
}
