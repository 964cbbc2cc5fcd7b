/** SHOW DATABASES, LISTS, STATE, VERSION. */
import type { ConsoleResult } from '../../process/messages.ts'
import { primaryOf, shardNamed } from '../../topology/topology.ts'
import { connectionLimits, poolSettings } from '../../config/pool-settings.ts'
import type { AdminContext } from '../context.ts'
import { int4, listing, text, yesNo } from '../result.ts'

/** The release whose console this one answers like. */
const PGBOUNCER_VERSION = '1.25.0'

interface DatabaseRow {
  readonly name: string
  readonly host: string | null
  readonly port: number
  readonly dbname: string
  readonly forceUser: string | null
  readonly poolSize: number
  readonly minPoolSize: number
  readonly reserveSize: number
  readonly lifetimeSeconds: number
  readonly maxServers: number
  readonly maxClients: number
  readonly paused: boolean
  readonly disabled: boolean
  readonly mode: string
  readonly strategy: string
  readonly servers: number
  readonly clients: number
  readonly shards: number
  readonly defaultShard: string
}

/** Host and port are those of default_shard's primary; SHOW NODES has them all. */
export async function showDatabases(context: AdminContext): Promise<ConsoleResult> {
  const reports = await context.reports()
  const topology = context.topology()
  const clients = reports.flatMap(report => report.clients)
  const servers = reports.flatMap(report => report.servers)
  const { read, listen } = context.config
  const rows: DatabaseRow[] = context.config.databases.map(database => {
    const known = topology.databases.find(one => one.name === database.name)
    const shard = known === undefined ? undefined : shardNamed(known, known.defaultShard)
    const primary = shard === undefined ? undefined : primaryOf(shard)
    // What counts for a user that overrides nothing.
    const settings = poolSettings({ ...context.config, users: [] }, database.name, '')
    const limits = connectionLimits({ ...context.config, users: [] }, database.name, '')
    return {
      name: database.name,
      host: primary?.host ?? null,
      port: primary?.port ?? 0,
      dbname: shard?.dbname ?? database.name,
      forceUser: database.server_user ?? null,
      poolSize: settings.size,
      minPoolSize: settings.minSize,
      reserveSize: settings.reserveSize,
      lifetimeSeconds: Math.round(settings.serverLifetimeMs / 1000),
      maxServers: limits.databaseServers,
      maxClients: limits.databaseClients,
      paused: context.isPaused(database.name),
      disabled: context.isDisabled(database.name),
      mode: settings.mode,
      strategy: read.strategy,
      servers: servers.filter(server => server.database === database.name).length,
      clients: clients.filter(client => client.database === database.name).length,
      shards: known?.shards.length ?? database.shards.length,
      defaultShard: known?.defaultShard ?? database.default_shard,
    }
  })
  rows.push({
    name: context.alias,
    host: null,
    port: listen.port,
    dbname: context.alias,
    forceUser: null,
    poolSize: 2,
    minPoolSize: 0,
    reserveSize: 0,
    lifetimeSeconds: 0,
    maxServers: 0,
    maxClients: 0,
    paused: false,
    disabled: false,
    mode: 'statement',
    strategy: read.strategy,
    servers: 0,
    clients: clients.filter(client => client.database === 'shardway' || client.database === 'pgbouncer').length,
    shards: 0,
    defaultShard: '',
  })
  return listing<DatabaseRow>(
    'SHOW',
    [
      text('name', row => row.name),
      text('host', row => row.host),
      int4('port', row => row.port),
      text('database', row => row.dbname),
      text('force_user', row => row.forceUser),
      int4('pool_size', row => row.poolSize),
      int4('min_pool_size', row => row.minPoolSize),
      int4('reserve_pool_size', row => row.reserveSize),
      int4('server_lifetime', row => row.lifetimeSeconds),
      text('pool_mode', row => row.mode),
      text('load_balance_hosts', row => row.strategy),
      int4('max_connections', row => row.maxServers),
      int4('current_connections', row => row.servers),
      int4('max_client_connections', row => row.maxClients),
      int4('current_client_connections', row => row.clients),
      int4('paused', row => (row.paused ? 1 : 0)),
      int4('disabled', row => (row.disabled ? 1 : 0)),
      int4('shards', row => row.shards),
      text('default_shard', row => row.defaultShard),
    ],
    rows,
  )
}

export async function showLists(context: AdminContext): Promise<ConsoleResult> {
  const reports = await context.reports()
  const servers = reports.flatMap(report => report.servers)
  const pools = new Set(reports.flatMap(report => report.pools.map(pool => JSON.stringify([pool.database, pool.user]))))
  const topology = context.topology()
  const shards = topology.databases.flatMap(database => database.shards)
  const used = servers.filter(server => server.state === 'active' || server.state === 'being_canceled').length
  const rows: Array<readonly [string, number]> = [
    ['databases', context.config.databases.length],
    ['users', context.config.users.length],
    ['pools', pools.size],
    ['free_clients', 0],
    ['used_clients', reports.reduce((sum, report) => sum + report.clients.length, 0)],
    ['login_clients', reports.reduce((sum, report) => sum + report.loginClients, 0)],
    ['free_servers', servers.length - used],
    ['used_servers', used],
    ['dns_names', 0],
    ['dns_zones', 0],
    ['dns_queries', 0],
    ['dns_pending', 0],
    ['shards', shards.length],
    ['nodes', shards.reduce((sum, shard) => sum + shard.nodes.length, 0)],
    ['workers', reports.length],
    ['plans', reports.reduce((sum, report) => sum + report.plans, 0)],
  ]
  return listing<readonly [string, number]>('SHOW', [text('list', row => row[0]), int4('items', row => row[1])], rows)
}

export function showState(context: AdminContext): ConsoleResult {
  const paused = context.allPaused()
  const rows = [
    ['active', !paused],
    ['paused', paused],
    ['suspended', false],
  ] as const
  return listing<(typeof rows)[number]>('SHOW', [text('key', row => row[0]), text('value', row => yesNo(row[1]))], rows)
}

export function showVersion(context: AdminContext): ConsoleResult {
  const own = `Shardway ${context.version}`
  const version = context.alias === 'pgbouncer' ? `PgBouncer ${PGBOUNCER_VERSION} (${own})` : own
  return listing<string>('SHOW', [text('version', row => row)], [version])
}
