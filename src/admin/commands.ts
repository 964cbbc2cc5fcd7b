/** The one command table: the console, the CLI and docs/reference/console.md are made from it. */
import { errorOf } from '../errors/codes.ts'
import type { ConsoleResult } from '../process/messages.ts'
import type { AdminContext } from './context.ts'
import { explainResult } from './explain.ts'
import {
  disable,
  enable,
  kill,
  killClient,
  pause,
  reconnect,
  requireDatabase,
  resume,
  shutdown,
  waitClose,
} from './pooler-commands.ts'
import { done, listing, text } from './result.ts'
import { showConfig } from './show/config.ts'
import { showActiveSockets, showClients, showServers, showSockets } from './show/connections.ts'
import { showDatabases, showLists, showState, showVersion } from './show/databases.ts'
import { showPools } from './show/pools.ts'
import { showStats, showStatsAverages, showStatsTotals, showTotals } from './show/stats.ts'
import { showDnsHosts, showDnsZones, showMem, showPeerPools, showPeers } from './show/process.ts'
import { showNodes, showShards, showSlots, showTables } from './show/topology.ts'
import { showUsers } from './show/users.ts'
import type { Arguments } from './statement.ts'
import { status } from './status.ts'

export interface Command {
  /** Lower-case words, one blank between. */
  readonly name: string
  readonly syntax: string
  readonly help: string
  /** stats: admin and stats users; admin: admin users only. */
  readonly rights: 'stats' | 'admin'
  /** Least and most values behind the name. */
  readonly minValues: number
  readonly maxValues: number
  /** Null: part of the contract, not yet in this release. */
  readonly run: ((context: AdminContext, args: Arguments) => Promise<ConsoleResult> | ConsoleResult) | null
}

type Run = NonNullable<Command['run']>

function show(name: string, help: string, run: Run | null): Command {
  return {
    name: `show ${name}`,
    syntax: `SHOW ${name.toUpperCase()}`,
    help,
    rights: 'stats',
    minValues: 0,
    maxValues: 0,
    run,
  }
}

function command(name: string, syntax: string, help: string, values: readonly [number, number], run: Run): Command {
  return { name, syntax, help, rights: 'admin', minValues: values[0], maxValues: values[1], run }
}

function later(name: string, syntax: string, help: string): Command {
  return { name, syntax, help, rights: 'admin', minValues: 0, maxValues: Number.POSITIVE_INFINITY, run: null }
}

export const COMMANDS: readonly Command[] = [
  show('active_sockets', 'Clients and servers with something under way', showActiveSockets),
  show('clients', 'Clients, with the reason why one keeps its server', showClients),
  show('config', 'Settings, their defaults, and whether RELOAD changes them', showConfig),
  show('databases', 'Databases and the primary of their default shard', showDatabases),
  show('dns_hosts', 'Empty: the system resolves names', showDnsHosts),
  show('dns_zones', 'Empty: the system resolves names', showDnsZones),
  show('help', 'This list', showHelp),
  show('lists', 'How many there are of everything', showLists),
  show('mem', 'Memory of each worker', showMem),
  show('nodes', 'Nodes: role, state, lag, connections', (context, args) =>
    showNodes(context, databaseOption(context, args)),
  ),
  show('peer_pools', 'Empty: cancel requests reach every worker', showPeerPools),
  show('peers', 'Empty: cancel requests reach every worker', showPeers),
  show('pools', 'Pools by database and user, over all workers and nodes', showPools),
  show('servers', 'Connections to the servers', showServers),
  show('shards', 'Shards: primary, replicas, term, share of the slots', (context, args) =>
    showShards(context, databaseOption(context, args)),
  ),
  show('slots', 'Which shard owns which slots', (context, args) => showSlots(context, databaseOption(context, args))),
  show('sockets', 'Clients and servers with their buffers', showSockets),
  show('state', 'Active, paused or suspended', showState),
  show('stats', 'Counters and averages by database', showStats),
  show('stats_averages', 'Averages by database', showStatsAverages),
  show('stats_totals', 'Counters by database', showStatsTotals),
  show('tables', 'Tables, their placement and shard key', (context, args) =>
    showTables(context, databaseOption(context, args)),
  ),
  show('totals', 'Counters and averages over all databases', showTotals),
  show('users', 'Users and their rights', showUsers),
  show('version', 'Version of Shardway', showVersion),
  command(
    'status',
    'STATUS [database=NAME]',
    'Topology: shards, nodes, roles, lag, term, slots, load',
    [0, 0],
    (context, args) => status(context, databaseOption(context, args)),
  ),
  command(
    'explain',
    "EXPLAIN [database=NAME] 'SQL' ['PARAM' ...]",
    'The route of a statement: tier, shards, role, cache; runs nothing',
    [1, Number.POSITIVE_INFINITY],
    explainStatement,
  ),
  command(
    'reload',
    'RELOAD',
    'Read the configuration file anew; a wrong file changes nothing',
    [0, 0],
    async context => {
      await context.reload()
      return done('RELOAD')
    },
  ),
  command(
    'shutdown',
    'SHUTDOWN [WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]',
    'End: at once, when no transaction runs, or when the last client has gone',
    [0, 1],
    shutdown,
  ),
  command('pause', 'PAUSE [DATABASE]', 'Hold new transactions; done when every server is released', [0, 1], pause),
  command('resume', 'RESUME [DATABASE]', 'End PAUSE and KILL', [0, 1], resume),
  command('disable', 'DISABLE DATABASE', 'Refuse new clients of a database', [0, 1], disable),
  command('enable', 'ENABLE DATABASE', 'End DISABLE', [0, 1], enable),
  command('kill', 'KILL [DATABASE]', 'End all clients and servers of a database, and pause it', [0, 1], kill),
  command('kill_client', 'KILL_CLIENT ID', 'End the client with this id or ptr of SHOW CLIENTS', [1, 1], killClient),
  command(
    'reconnect',
    'RECONNECT [DATABASE]',
    'Close each server connection as soon as its transaction ends',
    [0, 1],
    reconnect,
  ),
  command('wait_close', 'WAIT_CLOSE [DATABASE]', 'Wait until RECONNECT has closed every connection', [0, 1], waitClose),
  { ...show('fds', 'Sockets, for an online restart of PgBouncer', null), rights: 'admin' },
  { ...show('routes', 'The plan cache', null) },
  { ...show('cache', 'The cache of reads', null) },
  { ...show('pins', 'Sessions that keep their server', null) },
  { ...show('rebalance', 'Movement of slots', null) },
  { ...show('failovers', 'Promotions', null) },
  { ...show('transactions', 'Transactions in doubt', null) },
  later('suspend', 'SUSPEND', 'Flush and stop reading: PgBouncer does it for an online restart'),
  later('failover', 'FAILOVER SHARD [to=NODE] [FORCE]', 'Promote a replica of a shard whose primary is gone'),
  later('switchover', 'SWITCHOVER SHARD [to=NODE]', 'Promote a replica in a planned way'),
  later('shard add', 'SHARD ADD NAME node=HOST:PORT dbname=DB', 'Add a shard'),
  later('shard drain', 'SHARD DRAIN NAME', 'Move all slots away from a shard'),
  later('shard remove', 'SHARD REMOVE NAME', 'Remove a shard that owns nothing'),
  later(
    'rebalance',
    'REBALANCE PLAN|START|STATUS|PAUSE|RESUME|VERIFY|SWITCH|REVERSE|COMPLETE|CANCEL|RUN',
    'Move slots online',
  ),
  later('tenant pin', 'TENANT PIN KEY SHARD [type=int|text|uuid]', 'Put one key on a shard of its own'),
  later('tenant unpin', 'TENANT UNPIN KEY', 'Undo TENANT PIN'),
  later('tenant list', 'TENANT LIST', 'Pinned keys'),
  later('verify', 'VERIFY', 'Is every row on the shard of its slot?'),
  later('reference repair', 'REFERENCE REPAIR TABLE', 'Make a reference table equal everywhere'),
  later('migrate up', 'MIGRATE UP DIR', 'Run migration files on every shard'),
  later('migrate status', 'MIGRATE STATUS DIR', 'Which files ran where'),
  later('cache stats', 'CACHE STATS', 'Hits, misses, memory'),
  later('cache purge', 'CACHE PURGE [TABLE]', 'Forget what is cached'),
  later('state show', 'STATE SHOW', 'What the state store holds'),
  later('state recover', 'STATE RECOVER', 'Rebuild the state store from the shards'),
  later('uninstall', 'UNINSTALL', 'Remove everything Shardway made inside the shards'),
]

const BY_NAME: ReadonlyMap<string, Command> = new Map(COMMANDS.map(one => [one.name, one]))

/** The command with the longest name that these words begin with, and how many words that is. */
export function findCommand(words: readonly string[]): { command: Command; words: number } | null {
  for (const count of [2, 1]) {
    if (words.length < count) continue
    const found = BY_NAME.get(words.slice(0, count).join(' ').toLowerCase())
    if (found !== undefined) return { command: found, words: count }
  }
  return null
}

function databaseOption(context: AdminContext, args: Arguments): string | undefined {
  const name = args.options.get('database')
  if (name !== undefined) requireDatabase(context, name)
  return name
}

async function explainStatement(context: AdminContext, args: Arguments): Promise<ConsoleResult> {
  const only = context.config.databases.length === 1 ? context.config.databases[0]?.name : undefined
  const database = databaseOption(context, args) ?? only
  if (database === undefined) {
    const names = context.config.databases.map(one => one.name).join(', ')
    throw errorOf(
      'bad_command',
      { what: 'EXPLAIN without a database' },
      { hint: `Say database=NAME: one of ${names}.` },
    )
  }
  // EXPLAIN SELECT … as it stands, or 'SQL' and its parameters each in quotes.
  const [sql, ...params] = args.quoted ? args.values : [args.rest]
  if (sql === undefined || sql === '') throw errorOf('bad_command', { what: 'EXPLAIN without a statement' })
  return explainResult(await context.explain({ database, sql, params }))
}

function showHelp(context: AdminContext): ConsoleResult {
  const visible = COMMANDS.filter(one => one.run !== null && mayRun(context, one))
  const result = listing<Command>('SHOW', [text('command', row => row.syntax), text('does', row => row.help)], visible)
  return { ...result, notices: ['Console usage: one statement at a time, ended by a semicolon'] }
}

export function mayRun(context: AdminContext, one: Command): boolean {
  return context.rights.admin || (context.rights.stats && one.rights === 'stats')
}
