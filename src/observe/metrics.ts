/**
 * What /metrics answers: made from the workers' reports and the topology at each scrape, in a registry of its own, so
 * that a series whose node or worker is gone goes with it. Prefix shardway_, base units, label values all from the
 * configuration or the worker's number: never a statement, a client or an error text.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import type { StatsReport, Watermark, WorkerReport } from '../process/messages.ts'
import type { Topology } from '../topology/topology.ts'

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export interface MetricsInput {
  readonly version: string
  readonly topology: Topology
  readonly watermarks: readonly Watermark[]
  readonly reports: readonly WorkerReport[]
  readonly ready: boolean
  /** `slotsByShard` of src/admin: this layer lies below the topology and may name its types only. */
  readonly slotsOf: (database: Topology['databases'][number]) => ReadonlyMap<string, number>
}

type Labels = Record<string, string | number>
type Samples = ReadonlyArray<readonly [Labels, number]>

/** Prometheus text format, version 0.0.4. */
export function metricsText(input: MetricsInput): Promise<string> {
  const registry = new Registry()
  gauge(registry, 'info', 'Always 1; the version is a label', [[{ version: input.version }, 1]])
  gauge(registry, 'ready', '1 when /readyz answers 200', [[{}, input.ready ? 1 : 0]])
  gauge(registry, 'topology_epoch', 'Epoch of the topology in use', [[{}, input.topology.epoch]])
  topologyMetrics(registry, input)
  poolMetrics(registry, input.reports)
  statsMetrics(registry, input.reports)
  workerMetrics(registry, input.reports)
  return registry.metrics()
}

function gauge(registry: Registry, name: string, help: string, samples: Samples): void {
  const labelNames = Object.keys(samples[0]?.[0] ?? {})
  const metric = new Gauge({ name: `shardway_${name}`, help, labelNames, registers: [registry] })
  for (const [labels, value] of samples) metric.inc(labels, value)
}

function counter(registry: Registry, name: string, help: string, samples: Samples): void {
  const labelNames = Object.keys(samples[0]?.[0] ?? {})
  const metric = new Counter({ name: `shardway_${name}_total`, help, labelNames, registers: [registry] })
  for (const [labels, value] of samples) metric.inc(labels, value)
}

function topologyMetrics(registry: Registry, input: MetricsInput): void {
  const terms: Array<[Labels, number]> = []
  const slots: Array<[Labels, number]> = []
  const up: Array<[Labels, number]> = []
  const primary: Array<[Labels, number]> = []
  const lag: Array<[Labels, number]> = []
  for (const database of input.topology.databases) {
    const owned = input.slotsOf(database)
    for (const shard of database.shards) {
      const labels = { database: database.name, shard: shard.name }
      terms.push([labels, shard.term])
      slots.push([labels, owned.get(shard.name) ?? 0])
      for (const node of shard.nodes) {
        const nodeLabels = { ...labels, node: node.address }
        up.push([nodeLabels, node.reachable ? 1 : 0])
        primary.push([nodeLabels, node.role === 'primary' ? 1 : 0])
        const mark = input.watermarks.find(
          one => one.database === database.name && one.shard === shard.name && one.address === node.address,
        )
        if (node.role === 'replica' && mark !== undefined && mark.lagUs >= 0) {
          lag.push([nodeLabels, mark.lagUs / 1e6])
        }
      }
    }
  }
  gauge(registry, 'shard_term', 'Term of the shard: grows with each change of primary', terms)
  gauge(registry, 'shard_slots', 'Slots the shard owns, of 16384', slots)
  gauge(registry, 'node_up', '1 when the node answers', up)
  gauge(registry, 'node_primary', '1 when the node takes writes', primary)
  gauge(registry, 'replica_lag_seconds', 'How far the replica is behind, as time', lag)
}

function poolMetrics(registry: Registry, reports: readonly WorkerReport[]): void {
  const clients: Array<[Labels, number]> = []
  const servers: Array<[Labels, number]> = []
  const sizes: Array<[Labels, number]> = []
  const waits = new Map<string, [Labels, number]>()
  for (const report of reports) {
    for (const pool of report.pools) {
      const labels = { database: pool.database, user: pool.user, shard: pool.shard, node: pool.address }
      clients.push(
        [{ ...labels, state: 'active' }, pool.clientsActive],
        [{ ...labels, state: 'waiting' }, pool.clientsWaiting],
      )
      servers.push(
        [{ ...labels, state: 'active' }, pool.serversActive],
        [{ ...labels, state: 'idle' }, pool.serversIdle],
        [{ ...labels, state: 'used' }, pool.serversUsed],
        [{ ...labels, state: 'login' }, pool.serversLogin],
        [{ ...labels, state: 'being_canceled' }, pool.serversCanceled],
      )
      sizes.push([labels, pool.size])
      const key = JSON.stringify(labels)
      waits.set(key, [labels, Math.max(waits.get(key)?.[1] ?? 0, pool.maxWaitUs / 1e6)])
    }
  }
  gauge(registry, 'pool_clients', 'Clients of the pool by state', clients)
  gauge(registry, 'pool_servers', 'Server connections of the pool by state', servers)
  gauge(registry, 'pool_size', 'Server connections the pool may have', sizes)
  gauge(registry, 'pool_max_wait_seconds', 'How long the first waiting client has waited', [...waits.values()])
}

const STATS = [
  ['server_assignments', 'Servers handed to clients', 'assignments', 1],
  ['transactions', 'Transactions done', 'transactions', 1],
  ['queries', 'Statements done', 'queries', 1],
  ['received_bytes', 'Bytes from clients', 'bytesReceived', 1],
  ['sent_bytes', 'Bytes to clients', 'bytesSent', 1],
  ['transaction_seconds', 'Time in transactions', 'transactionTimeUs', 1e-6],
  ['query_seconds', 'Time in statements', 'queryTimeUs', 1e-6],
  ['wait_seconds', 'Time clients waited for a server', 'waitTimeUs', 1e-6],
  ['client_parses', 'Parse messages from clients', 'clientParses', 1],
  ['server_parses', 'Parse messages to servers', 'serverParses', 1],
  ['binds', 'Bind messages', 'binds', 1],
  ['logins', 'Clients that logged in', 'logins', 1],
  ['refusals', 'Statements refused with 0A000 and its kin', 'refusals', 1],
  ['errors', 'Errors that clients got', 'errors', 1],
] as const satisfies ReadonlyArray<readonly [string, string, keyof StatsReport, number]>

function statsLabels(worker: number, stats: StatsReport): Labels {
  return { database: stats.database, worker }
}

/** With a label for the worker: a sum over workers would look like a reset whenever one of them starts anew. */
function statsMetrics(registry: Registry, reports: readonly WorkerReport[]): void {
  const all = reports.flatMap(report => report.stats.map(stats => ({ worker: report.worker, stats })))
  for (const [name, help, field, factor] of STATS) {
    counter(
      registry,
      name,
      help,
      all.map(({ worker, stats }) => [statsLabels(worker, stats), stats[field] * factor] as const),
    )
  }
  const reads: Array<[Labels, number]> = []
  for (const { worker, stats } of all) {
    reads.push([{ ...statsLabels(worker, stats), role: 'primary' }, stats.readsOnPrimaries])
    reads.push([{ ...statsLabels(worker, stats), role: 'replica' }, stats.readsOnReplicas])
  }
  counter(registry, 'reads', 'Reads by the role of the node that answered', reads)
}

function workerMetrics(registry: Registry, reports: readonly WorkerReport[]): void {
  const clients: Array<[Labels, number]> = []
  const pinned: Array<[Labels, number]> = []
  for (const report of reports) {
    for (const client of report.clients) {
      clients.push([{ database: client.database, state: client.state }, 1])
      if (client.pins !== '') pinned.push([{ database: client.database }, 1])
    }
  }
  const each = (value: (report: WorkerReport) => number): Samples =>
    reports.map(report => [{ worker: report.worker }, value(report)] as const)
  gauge(registry, 'clients', 'Clients by database and state', clients)
  gauge(registry, 'pinned_clients', 'Clients that keep their server', pinned)
  gauge(
    registry,
    'login_clients',
    'Clients that are logging in',
    each(report => report.loginClients),
  )
  gauge(
    registry,
    'plans',
    'Plans in the cache',
    each(report => report.plans),
  )
  gauge(
    registry,
    'worker_memory_bytes',
    'Resident memory of the worker',
    each(report => report.memoryBytes),
  )
  counter(
    registry,
    'worker_cpu_seconds',
    'CPU time of the worker',
    each(report => report.cpuUs / 1e6),
  )
}
