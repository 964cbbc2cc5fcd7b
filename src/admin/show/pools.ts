/** SHOW POOLS: PgBouncer's row for each database and user, summed over workers and nodes, and ours appended. */
import { poolSettings } from '../../config/pool-settings.ts'
import type { ConsoleResult, WorkerReport } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { int4, listing, text } from '../result.ts'

interface PoolRow {
  readonly database: string
  readonly user: string
  clientsActive: number
  clientsWaiting: number
  cancelsActive: number
  cancelsWaiting: number
  serversActive: number
  serversIdle: number
  serversUsed: number
  serversTested: number
  serversLogin: number
  serversCanceled: number
  maxWaitUs: number
  mode: string
  size: number
  readonly nodes: Set<string>
}

export async function showPools(context: AdminContext): Promise<ConsoleResult> {
  const rows = poolRows(await context.reports(), (database, user) => poolSettings(context.config, database, user).mode)
  return listing<PoolRow>(
    'SHOW',
    [
      text('database', row => row.database),
      text('user', row => row.user),
      int4('cl_active', row => row.clientsActive),
      int4('cl_waiting', row => row.clientsWaiting),
      int4('cl_active_cancel_req', row => row.cancelsActive),
      int4('cl_waiting_cancel_req', row => row.cancelsWaiting),
      int4('sv_active', row => row.serversActive),
      int4('sv_active_cancel', row => row.cancelsActive),
      int4('sv_being_canceled', row => row.serversCanceled),
      int4('sv_idle', row => row.serversIdle),
      int4('sv_used', row => row.serversUsed),
      int4('sv_tested', row => row.serversTested),
      int4('sv_login', row => row.serversLogin),
      int4('maxwait', row => Math.floor(row.maxWaitUs / 1e6)),
      int4('maxwait_us', row => Math.round(row.maxWaitUs % 1e6)),
      text('pool_mode', row => row.mode),
      text('load_balance_hosts', () => context.config.read.strategy),
      int4('nodes', row => row.nodes.size),
      int4('size', row => row.size),
    ],
    rows,
  )
}

/**
 * Clients are counted from their own list, not from the pools: PgBouncer's cl_active includes idle clients, and a client
 * with servers of two shards is one client.
 */
export function poolRows(
  reports: readonly WorkerReport[],
  modeOf: (database: string, user: string) => string,
): readonly PoolRow[] {
  const rows = new Map<string, PoolRow>()
  const rowOf = (database: string, user: string): PoolRow => {
    const key = JSON.stringify([database, user])
    let row = rows.get(key)
    if (row === undefined) {
      row = {
        database,
        user,
        clientsActive: 0,
        clientsWaiting: 0,
        cancelsActive: 0,
        cancelsWaiting: 0,
        serversActive: 0,
        serversIdle: 0,
        serversUsed: 0,
        serversTested: 0,
        serversLogin: 0,
        serversCanceled: 0,
        maxWaitUs: 0,
        mode: database === 'shardway' || database === 'pgbouncer' ? 'statement' : modeOf(database, user),
        size: 0,
        nodes: new Set(),
      }
      rows.set(key, row)
    }
    return row
  }
  for (const report of reports) {
    for (const pool of report.pools) {
      const row = rowOf(pool.database, pool.user)
      row.cancelsActive += pool.cancelsActive
      row.cancelsWaiting += pool.cancelsWaiting
      row.serversActive += pool.serversActive
      row.serversIdle += pool.serversIdle
      row.serversUsed += pool.serversUsed
      row.serversTested += pool.serversTested
      row.serversLogin += pool.serversLogin
      row.serversCanceled += pool.serversCanceled
      row.maxWaitUs = Math.max(row.maxWaitUs, pool.maxWaitUs)
      row.size += pool.size
      row.nodes.add(`${pool.shard}/${pool.address}`)
    }
    for (const client of report.clients) {
      const row = rowOf(client.database, client.user)
      if (client.state === 'waiting') row.clientsWaiting++
      else row.clientsActive++
      if (client.state === 'waiting') row.maxWaitUs = Math.max(row.maxWaitUs, client.waitUs)
    }
  }
  return [...rows.values()].toSorted((a, b) => compare(a.database, b.database) || compare(a.user, b.user))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
