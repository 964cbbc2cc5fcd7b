/** An immutable snapshot: slot → shard, shard → nodes with roles and terms; with an epoch. JSON-serialisable. */

export const SLOT_COUNT = 16384

export type Role = 'primary' | 'replica' | 'unknown'

export interface Node {
  /** `host:port`, as configured: the node's name everywhere. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly role: Role
  readonly reachable: boolean
  /** Identity of the postmaster's present start: `<pg_postmaster_start_time>/<timeline>`; '' when unknown. */
  readonly start: string
  readonly zone: string
}

export interface Shard {
  readonly name: string
  readonly dbname: string
  /** One primary's reign. Grows with each change of primary. */
  readonly term: number
  readonly nodes: readonly Node[]
}

export interface DatabaseTopology {
  readonly name: string
  readonly defaultShard: string
  readonly shards: readonly Shard[]
  /** SLOT_COUNT entries: index into `shardNames`. Runs of [first slot, shard index], ascending, first is slot 0. */
  readonly slotRuns: ReadonlyArray<readonly [number, number]>
  /** What the indexes in slotRuns mean. */
  readonly shardNames: readonly string[]
}

export interface Topology {
  readonly epoch: number
  readonly databases: readonly DatabaseTopology[]
}

export function primaryOf(shard: Shard): Node | undefined {
  return shard.nodes.find(node => node.role === 'primary')
}

export function shardNamed(database: DatabaseTopology, name: string): Shard | undefined {
  return database.shards.find(shard => shard.name === name)
}

/** Expands the runs into one shard index per slot, for the hot path. */
export function slotTable(database: DatabaseTopology): Uint16Array {
  const table = new Uint16Array(SLOT_COUNT)
  for (let i = 0; i < database.slotRuns.length; i++) {
    const run = database.slotRuns[i]
    if (run === undefined) continue
    const end = database.slotRuns[i + 1]?.[0] ?? SLOT_COUNT
    table.fill(run[1], run[0], end)
  }
  return table
}
