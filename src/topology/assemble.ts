/** Config and store together: the first view after a start or a reload, and what the store should hold for a view. Pure. */
import type { Config, DatabaseConfig } from '../config/schema.ts'
import { divideSlots } from './slot-map.ts'
import type { DatabaseRecord, ShardRecord, StoredState } from './store.ts'
import type { DatabaseTopology, Node, Shard, Topology } from './topology.ts'
import { NO_FACTS, type ShardFacts, shardKey, type View } from './view.ts'

export interface Assembly {
  readonly view: View
  /** Where the store and the config differ, for the log. */
  readonly notes: readonly string[]
}

function nodeAt(address: string): Node {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return {
    address,
    host,
    port: Number(address.slice(colon + 1)),
    role: 'unknown',
    reachable: false,
    start: '',
    zone: '',
  }
}

function assembleDatabase(
  config: DatabaseConfig,
  stored: DatabaseRecord | undefined,
  notes: string[],
): DatabaseTopology {
  const configured = config.shards.map(shard => shard.name)
  const shardNames = stored === undefined ? configured : [...stored.shardNames]
  for (const name of configured) {
    if (shardNames.includes(name)) continue
    shardNames.push(name)
    notes.push(
      `database ${config.name}: shard ${name} is new in the config; it owns no slots until a rebalance gives it some`,
    )
  }
  const shards: Shard[] = []
  for (const name of shardNames) {
    const inConfig = config.shards.find(shard => shard.name === name)
    const record = stored?.shards.find(shard => shard.name === name)
    if (inConfig === undefined && record !== undefined) {
      notes.push(
        `database ${config.name}: shard ${name} is in the state store only; it stays until "shardway shard remove"`,
      )
    }
    const dbname = inConfig?.dbname ?? record?.dbname ?? config.name
    const nodes = inConfig?.nodes ?? record?.nodes ?? []
    shards.push({ name, dbname, term: record?.term ?? 0, nodes: nodes.map(nodeAt) })
  }
  return {
    name: config.name,
    defaultShard: config.default_shard,
    shards,
    slotRuns: stored?.slotRuns ?? divideSlots(configured.length),
    shardNames,
  }
}

/** The slot map in the store wins over the config's division once it is written. */
export function assemble(config: Config, stored: StoredState | null): Assembly {
  const notes: string[] = []
  const facts = new Map<string, ShardFacts>()
  const databases = config.databases.map(database => {
    const record = stored?.databases.find(one => one.name === database.name)
    for (const shard of record?.shards ?? []) {
      facts.set(shardKey(database.name, shard.name), { ...NO_FACTS, primary: shard.primary, timeline: shard.timeline })
    }
    return assembleDatabase(database, record, notes)
  })
  return { view: { topology: { epoch: stored?.epoch ?? 1, databases }, facts, observed: new Map() }, notes }
}

/** After a reload: nodes that stayed keep what is known of them. The epoch grows when anything differs. */
export function carryOver(before: View, after: View): View {
  const observed = new Map(before.observed)
  const facts = new Map([...after.facts, ...before.facts])
  const databases = after.topology.databases.map(database => {
    const old = before.topology.databases.find(one => one.name === database.name)
    const shards = database.shards.map(shard => {
      const oldShard = old?.shards.find(one => one.name === shard.name && one.dbname === shard.dbname)
      if (oldShard === undefined) return shard
      const nodes = shard.nodes.map(node => oldShard.nodes.find(one => one.address === node.address) ?? node)
      return { ...shard, term: oldShard.term, nodes }
    })
    return { ...database, shards }
  })
  const same = JSON.stringify(databases) === JSON.stringify(before.topology.databases)
  const topology: Topology = same ? before.topology : { epoch: before.topology.epoch + 1, databases }
  return { topology, facts, observed }
}

/** What to write. Databases that the config no longer names keep their record: they may come back. */
export function stateOf(id: string, view: View, before: StoredState | null): StoredState {
  const databases = view.topology.databases.map((database): DatabaseRecord => {
    const shards = database.shards.map((shard): ShardRecord => {
      const facts = view.facts.get(shardKey(database.name, shard.name)) ?? NO_FACTS
      return {
        name: shard.name,
        dbname: shard.dbname,
        nodes: shard.nodes.map(node => node.address),
        term: shard.term,
        primary: facts.primary,
        timeline: facts.timeline,
      }
    })
    return {
      name: database.name,
      shardNames: [...database.shardNames],
      slotRuns: database.slotRuns.map(run => [run[0], run[1]]),
      shards,
    }
  })
  const gone = before?.databases.filter(old => !databases.some(database => database.name === old.name)) ?? []
  return { format: 1, id, epoch: view.topology.epoch, databases: [...databases, ...gone] }
}
