/** What `/api/topology` answers, and the pure function that makes it. Counters only grow: the page makes rates of them. */
import type { Watermark, WorkerReport } from '../process/messages.ts'
import { type DatabaseTopology, type Role, type Shard, SLOT_COUNT, type Topology } from '../topology/topology.ts'
import { slotsPerShard } from '../topology/slot-map.ts'

export interface NodeView {
  readonly address: string
  readonly role: Role
  readonly reachable: boolean
  readonly zone: string
  /** Null for a primary and where it is not known. */
  readonly lagSeconds: number | null
  readonly servers: number
  readonly serversActive: number
  readonly clientsWaiting: number
}

export interface ShardView {
  readonly name: string
  readonly term: number
  readonly defaultShard: boolean
  readonly slots: number
  readonly slotsPercent: number
  readonly nodes: readonly NodeView[]
}

export interface DatabaseView {
  readonly name: string
  readonly shards: readonly ShardView[]
  /** [first slot, number of slots, shard name], ascending. */
  readonly slotMap: ReadonlyArray<readonly [number, number, string]>
  readonly clients: number
  readonly clientsActive: number
  readonly clientsWaiting: number
  readonly servers: number
  readonly queries: number
  readonly transactions: number
  readonly errors: number
  readonly readsOnReplicas: number
  readonly readsOnPrimaries: number
}

export interface TopologyView {
  readonly version: string
  readonly epoch: number
  /** Milliseconds since the epoch. */
  readonly atMs: number
  readonly ready: boolean
  readonly workers: ReadonlyArray<{ readonly worker: number; readonly memoryBytes: number; readonly clients: number }>
  readonly databases: readonly DatabaseView[]
}

export interface TopologyViewFacts {
  readonly version: string
  readonly atMs: number
  readonly ready: boolean
}

export function topologyView(
  topology: Topology,
  watermarks: readonly Watermark[],
  reports: readonly WorkerReport[],
  facts: TopologyViewFacts,
): TopologyView {
  return {
    version: facts.version,
    epoch: topology.epoch,
    atMs: facts.atMs,
    ready: facts.ready,
    workers: reports.map(report => ({
      worker: report.worker,
      memoryBytes: report.memoryBytes,
      clients: report.clients.length,
    })),
    databases: topology.databases.map(database => databaseView(database, watermarks, reports)),
  }
}

function databaseView(
  database: DatabaseTopology,
  watermarks: readonly Watermark[],
  reports: readonly WorkerReport[],
): DatabaseView {
  const clients = reports.flatMap(report => report.clients).filter(client => client.database === database.name)
  const servers = reports.flatMap(report => report.servers).filter(server => server.database === database.name)
  const stats = reports.flatMap(report => report.stats).filter(one => one.database === database.name)
  const sum = (value: (one: (typeof stats)[number]) => number): number =>
    stats.reduce((all, one) => all + value(one), 0)
  const slots = slotsPerShard(database.slotRuns, database.shardNames.length)
  return {
    name: database.name,
    shards: database.shards.map(shard => {
      const owned = slots[database.shardNames.indexOf(shard.name)] ?? 0
      return shardView(database, shard, owned, watermarks, reports)
    }),
    slotMap: database.slotRuns.map(([first, index], run) => [
      first,
      (database.slotRuns[run + 1]?.[0] ?? SLOT_COUNT) - first,
      database.shardNames[index] ?? '',
    ]),
    clients: clients.length,
    clientsActive: clients.filter(client => client.state === 'active').length,
    clientsWaiting: clients.filter(client => client.state === 'waiting').length,
    servers: servers.length,
    queries: sum(one => one.queries),
    transactions: sum(one => one.transactions),
    errors: sum(one => one.errors),
    readsOnReplicas: sum(one => one.readsOnReplicas),
    readsOnPrimaries: sum(one => one.readsOnPrimaries),
  }
}

function shardView(
  database: DatabaseTopology,
  shard: Shard,
  slots: number,
  watermarks: readonly Watermark[],
  reports: readonly WorkerReport[],
): ShardView {
  return {
    name: shard.name,
    term: shard.term,
    defaultShard: shard.name === database.defaultShard,
    slots,
    slotsPercent: Math.round((slots * 1000) / SLOT_COUNT) / 10,
    nodes: shard.nodes.map(node => {
      const here = (one: { database: string; shard: string; address: string }): boolean =>
        one.database === database.name && one.shard === shard.name && one.address === node.address
      const mark = node.role === 'replica' ? watermarks.find(here) : undefined
      const servers = reports.flatMap(report => report.servers.filter(here))
      return {
        address: node.address,
        role: node.role,
        reachable: node.reachable,
        zone: node.zone,
        lagSeconds: mark === undefined || mark.lagUs < 0 ? null : mark.lagUs / 1e6,
        servers: servers.length,
        serversActive: servers.filter(server => server.state === 'active').length,
        clientsWaiting: reports
          .flatMap(report => report.pools.filter(here))
          .reduce((all, pool) => all + pool.clientsWaiting, 0),
      }
    }),
  }
}
