/** What counts for the clients and servers of one user in one database: the user's setting, the database's, or [pool]'s. */
import type { PoolMode } from './pool-schema.ts'
import type { Config, DatabaseConfig, UserConfig } from './schema.ts'

export interface PoolSettings {
  readonly mode: PoolMode
  /** Over all workers, as every count here. */
  readonly size: number
  readonly minSize: number
  readonly reserveSize: number
  readonly reserveAfterMs: number
  readonly waitTimeoutMs: number
  readonly waitNoticeMs: number
  readonly queryTimeoutMs: number
  readonly transactionTimeoutMs: number
  readonly idleTransactionTimeoutMs: number
  readonly clientIdleTimeoutMs: number
  readonly serverLifetimeMs: number
  readonly serverIdleTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly loginRetryMs: number
  readonly checkDelayMs: number
  /** Statements kept prepared on one server. */
  readonly maxPrepared: number
  /** Null: no check. */
  readonly checkQuery: string | null
  /** Statements are counted before they run. */
  readonly limited: boolean
}

export interface ConnectionLimits {
  /** Servers on one node; 0: no limit, as everywhere here. */
  readonly databaseServers: number
  readonly userServers: number
  readonly databaseClients: number
  readonly userClients: number
}

type Pools = Pick<Config, 'pool' | 'users' | 'databases'>

function userOf(config: Pools, name: string): UserConfig['pool'] {
  return config.users.find(one => one.name === name)?.pool
}

function databaseOf(config: Pools, name: string): DatabaseConfig['pool'] {
  return config.databases.find(one => one.name === name)?.pool
}

export function poolSettings(config: Pools, database: string, user: string): PoolSettings {
  const all = config.pool
  const mine = userOf(config, user)
  const its = databaseOf(config, database)
  const check = all.server_check_query
  return {
    mode: mine?.mode ?? its?.mode ?? all.mode,
    size: mine?.default_pool_size ?? its?.default_pool_size ?? all.default_pool_size,
    minSize: its?.min_pool_size ?? all.min_pool_size,
    reserveSize: mine?.reserve_pool_size ?? its?.reserve_pool_size ?? all.reserve_pool_size,
    reserveAfterMs: all.reserve_pool_timeout,
    waitTimeoutMs: mine?.query_wait_timeout ?? its?.query_wait_timeout ?? all.query_wait_timeout,
    waitNoticeMs: all.query_wait_notify,
    queryTimeoutMs: mine?.query_timeout ?? all.query_timeout,
    transactionTimeoutMs: mine?.transaction_timeout ?? all.transaction_timeout,
    idleTransactionTimeoutMs: mine?.idle_transaction_timeout ?? all.idle_transaction_timeout,
    clientIdleTimeoutMs: mine?.client_idle_timeout ?? all.client_idle_timeout,
    serverLifetimeMs: its?.server_lifetime ?? all.server_lifetime,
    serverIdleTimeoutMs: all.server_idle_timeout,
    connectTimeoutMs: all.server_connect_timeout,
    loginRetryMs: all.server_login_retry,
    checkDelayMs: all.server_check_delay,
    maxPrepared: all.max_prepared_statements,
    checkQuery: check === '' ? null : check === '<empty>' ? '' : check,
    limited: [statementLimits(config, 'user', user), statementLimits(config, 'database', database)].some(
      one => one.perSecond > 0 || one.concurrent > 0,
    ),
  }
}

export function statementLimits(
  config: Pools,
  kind: 'user' | 'database',
  name: string,
): { readonly perSecond: number; readonly concurrent: number } {
  const found = (kind === 'user' ? config.users : config.databases).find(one => one.name === name)
  return { perSecond: found?.max_statements_per_second ?? 0, concurrent: found?.max_concurrent_statements ?? 0 }
}

export function connectionLimits(config: Pools, database: string, user: string): ConnectionLimits {
  const mine = userOf(config, user)
  const its = databaseOf(config, database)
  return {
    databaseServers: its?.max_db_connections ?? config.pool.max_db_connections,
    userServers: mine?.max_user_connections ?? config.pool.max_user_connections,
    databaseClients: its?.max_db_client_connections ?? config.pool.max_db_client_connections,
    userClients: mine?.max_user_client_connections ?? config.pool.max_user_client_connections,
  }
}

export function hasStatementLimits({ users, databases }: Pools): boolean {
  return [...users, ...databases].some(one => one.max_statements_per_second > 0 || one.max_concurrent_statements > 0)
}

/** True when some client can be overdue: only then is every client looked at. */
export function hasClientTimeouts({ pool, users }: Pools): boolean {
  return [pool, ...users.map(user => user.pool ?? {})].some(
    one =>
      (one.query_timeout ?? 0) +
        (one.transaction_timeout ?? 0) +
        (one.idle_transaction_timeout ?? 0) +
        (one.client_idle_timeout ?? 0) >
      0,
  )
}
