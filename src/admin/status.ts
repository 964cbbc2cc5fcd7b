/** `shardway status`: one row for each node, with what an operator looks at first. */
import type { ConsoleResult } from '../process/messages.ts'
import { slotsByShard } from './slots-by-shard.ts'
import { type Node, type Shard, SLOT_COUNT } from '../topology/topology.ts'
import type { AdminContext } from './context.ts'
import { int4, int8, listing, numeric, text } from './result.ts'
import { databasesOf, shardState } from './show/topology.ts'

interface StatusRow {
  readonly database: string
  readonly shard: Shard
  readonly node: Node
  readonly slots: number
  readonly lagUs: number | null
  readonly serversActive: number
  readonly servers: number
  readonly waiting: number
}

export async function status(context: AdminContext, only?: string): Promise<ConsoleResult> {
  const reports = await context.reports()
  const topology = context.topology()
  const rows: StatusRow[] = []
  for (const database of databasesOf(context, only)) {
    const owned = slotsByShard(database)
    for (const shard of database.shards) {
      for (const node of shard.nodes) {
        const here = (one: { database: string; shard: string; address: string }): boolean =>
          one.database === database.name && one.shard === shard.name && one.address === node.address
        const mark = node.role === 'replica' ? context.watermarks().find(here) : undefined
        const servers = reports.flatMap(report => report.servers.filter(here))
        rows.push({
          database: database.name,
          shard,
          node,
          slots: owned.get(shard.name) ?? 0,
          lagUs: mark === undefined || mark.lagUs < 0 ? null : mark.lagUs,
          serversActive: servers.filter(server => server.state === 'active').length,
          servers: servers.length,
          waiting: reports
            .flatMap(report => report.pools.filter(here))
            .reduce((sum, one) => sum + one.clientsWaiting, 0),
        })
      }
    }
  }
  const clients = reports.reduce((sum, report) => sum + report.clients.length, 0)
  const result = listing<StatusRow>(
    'STATUS',
    [
      text('database', row => row.database),
      text('shard', row => row.shard.name),
      text('shard_state', row => shardState(row.shard)),
      text('node', row => row.node.address),
      text('role', row => row.node.role),
      text('state', row => (row.node.reachable ? 'up' : 'down')),
      numeric('lag_seconds', row => (row.lagUs === null ? null : Math.round(row.lagUs / 1e3) / 1e3)),
      int8('term', row => row.shard.term),
      int4('slots', row => row.slots),
      numeric('slots_percent', row => Math.round((row.slots * 1000) / SLOT_COUNT) / 10),
      int4('sv_active', row => row.serversActive),
      int4('sv_total', row => row.servers),
      int4('cl_waiting', row => row.waiting),
    ],
    rows,
  )
  const summary = `Shardway ${context.version}, epoch ${topology.epoch}, ${reports.length} workers, ${clients} clients`
  return { ...result, notices: [`${summary}; cache off, no workflows`] }
}
