/** SHOW USERS. */
import { connectionLimits } from '../../config/pool-settings.ts'
import type { UserConfig } from '../../config/schema.ts'
import type { ConsoleResult } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { int4, listing, text, yesNo } from '../result.ts'

export async function showUsers(context: AdminContext): Promise<ConsoleResult> {
  const reports = await context.reports()
  const clients = reports.flatMap(report => report.clients)
  const pools = reports.flatMap(report => report.pools)
  // On the servers they may all be one user: the pools tell whose they are.
  const serversOf = (user: string): number =>
    pools.reduce((sum, pool) => {
      if (pool.user !== user) return sum
      return sum + pool.serversActive + pool.serversIdle + pool.serversUsed + pool.serversTested
    }, 0)
  const limitsOf = (user: string) => connectionLimits(context.config, '', user)
  return listing<UserConfig>(
    'SHOW',
    [
      text('name', row => row.name),
      text('pool_size', row => row.pool?.default_pool_size ?? ''),
      text('reserve_pool_size', row => row.pool?.reserve_pool_size ?? ''),
      text('pool_mode', row => row.pool?.mode ?? ''),
      int4('max_user_connections', row => limitsOf(row.name).userServers),
      int4('current_connections', row => serversOf(row.name)),
      int4('max_user_client_connections', row => limitsOf(row.name).userClients),
      int4('current_client_connections', row => clients.filter(client => client.user === row.name).length),
      text('admin', row => yesNo(row.admin)),
      text('stats', row => yesNo(row.stats)),
    ],
    context.config.users,
  )
}
