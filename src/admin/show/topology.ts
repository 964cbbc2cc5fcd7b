/** SHOW SHARDS, NODES, SLOTS, TABLES, and `status`. */
import { parseQualifiedName } from '../../config/names.ts'
import { slotsByShard } from '../slots-by-shard.ts'
import type { ConsoleResult, ServerReport } from '../../process/messages.ts'
import { type DatabaseTopology, type Node, primaryOf, type Shard, SLOT_COUNT } from '../../topology/topology.ts'
import type { AdminContext } from '../context.ts'
import { int4, int8, listing, numeric, text, yesNo } from '../result.ts'

interface ShardRow {
  readonly database: DatabaseTopology
  readonly shard: Shard
  readonly slots: number
  readonly servers: readonly ServerReport[]
}

/** The databases to show: all, or the one that was asked for. */
export function databasesOf(context: AdminContext, only: string | undefined): readonly DatabaseTopology[] {
  return context.topology().databases.filter(database => only === undefined || database.name === only)
}

export async function showShards(context: AdminContext, only?: string): Promise<ConsoleResult> {
  const servers = (await context.reports()).flatMap(report => report.servers)
  const rows = databasesOf(context, only).flatMap(database => {
    const owned = slotsByShard(database)
    return database.shards.map(shard => ({
      database,
      shard,
      slots: owned.get(shard.name) ?? 0,
      servers: servers.filter(one => one.database === database.name && one.shard === shard.name),
    }))
  })
  return listing<ShardRow>(
    'SHOW',
    [
      text('database', row => row.database.name),
      text('shard', row => row.shard.name),
      text('dbname', row => row.shard.dbname),
      text('state', row => shardState(row.shard)),
      text('primary', row => primaryOf(row.shard)?.address ?? null),
      int4('replicas', row => row.shard.nodes.filter(node => node.role === 'replica').length),
      int4('nodes', row => row.shard.nodes.length),
      int4('nodes_up', row => row.shard.nodes.filter(node => node.reachable).length),
      int8('term', row => row.shard.term),
      int4('slots', row => row.slots),
      numeric('slots_percent', row => Math.round((row.slots * 1000) / SLOT_COUNT) / 10),
      text('default_shard', row => yesNo(row.database.defaultShard === row.shard.name)),
      int4('sv_active', row => row.servers.filter(server => server.state === 'active').length),
      int4('sv_total', row => row.servers.length),
    ],
    rows,
  )
}

/** `up`: all nodes answer and one is the primary; `degraded`: writes work; `read-only`: only replicas; `down`. */
export function shardState(shard: Shard): 'up' | 'degraded' | 'read-only' | 'down' {
  const up = shard.nodes.filter(node => node.reachable)
  if (up.some(node => node.role === 'primary')) return up.length === shard.nodes.length ? 'up' : 'degraded'
  return up.some(node => node.role === 'replica') ? 'read-only' : 'down'
}

interface NodeRow {
  readonly database: DatabaseTopology
  readonly shard: Shard
  readonly node: Node
  readonly lagUs: number | null
  readonly servers: readonly ServerReport[]
  readonly waiting: number
}

export async function showNodes(context: AdminContext, only?: string): Promise<ConsoleResult> {
  const reports = await context.reports()
  const servers = reports.flatMap(report => report.servers)
  const pools = reports.flatMap(report => report.pools)
  const watermarks = context.watermarks()
  const rows: NodeRow[] = []
  for (const database of databasesOf(context, only)) {
    for (const shard of database.shards) {
      for (const node of shard.nodes) {
        const here = (one: { database: string; shard: string; address: string }): boolean =>
          one.database === database.name && one.shard === shard.name && one.address === node.address
        const mark = node.role === 'replica' ? watermarks.find(here) : undefined
        rows.push({
          database,
          shard,
          node,
          lagUs: mark === undefined || mark.lagUs < 0 ? null : mark.lagUs,
          servers: servers.filter(here),
          waiting: pools.filter(here).reduce((sum, pool) => sum + pool.clientsWaiting, 0),
        })
      }
    }
  }
  return listing<NodeRow>(
    'SHOW',
    [
      text('database', row => row.database.name),
      text('shard', row => row.shard.name),
      text('node', row => row.node.address),
      text('role', row => row.node.role),
      text('state', row => (row.node.reachable ? 'up' : 'down')),
      numeric('lag_seconds', row => (row.lagUs === null ? null : Math.round(row.lagUs / 1e3) / 1e3)),
      text('zone', row => row.node.zone),
      text('start', row => row.node.start),
      int4('sv_active', row => row.servers.filter(server => server.state === 'active').length),
      int4('sv_idle', row => row.servers.filter(server => server.state === 'idle').length),
      int4('sv_total', row => row.servers.length),
      int4('cl_waiting', row => row.waiting),
    ],
    rows,
  )
}

interface SlotRow {
  readonly database: string
  readonly first: number
  readonly last: number
  readonly shard: string
}

export function showSlots(context: AdminContext, only?: string): ConsoleResult {
  const rows = databasesOf(context, only).flatMap(database =>
    database.slotRuns.map(([first, shard], index) => ({
      database: database.name,
      first,
      last: (database.slotRuns[index + 1]?.[0] ?? SLOT_COUNT) - 1,
      shard: database.shardNames[shard] ?? '',
    })),
  )
  return listing<SlotRow>(
    'SHOW',
    [
      text('database', row => row.database),
      int4('first_slot', row => row.first),
      int4('last_slot', row => row.last),
      int4('slots', row => row.last - row.first + 1),
      text('shard', row => row.shard),
    ],
    rows,
  )
}

interface TableRow {
  readonly database: string
  readonly schema: string
  readonly table: string
  readonly placement: string
  readonly key: string | null
  readonly keyType: string | null
  readonly declared: boolean
  readonly exists: boolean
}

const TABLE_KINDS: ReadonlySet<string> = new Set(['r', 'p', 'f'])

export function showTables(context: AdminContext, only?: string): ConsoleResult {
  const rows: TableRow[] = []
  for (const database of context.config.databases) {
    if (only !== undefined && database.name !== only) continue
    const declared = new Map(
      database.tables.map(one => {
        const name = parseQualifiedName(one.name) ?? { schema: 'public', name: one.name }
        return [JSON.stringify([name.schema, name.name]), { ...one, ...name }] as const
      }),
    )
    const catalog = context.catalogs().find(one => one.database === database.name)
    for (const relation of catalog?.relations ?? []) {
      if (!TABLE_KINDS.has(relation.kind) || relation.schema === 'shardway') continue
      const key = JSON.stringify([relation.schema, relation.name])
      const placement = relation.placement
      rows.push({
        database: database.name,
        schema: relation.schema,
        table: relation.name,
        placement: placement.kind,
        key: placement.kind === 'sharded' ? placement.column : null,
        keyType: placement.kind === 'sharded' ? placement.type : null,
        declared: declared.delete(key),
        exists: true,
      })
    }
    for (const one of declared.values()) {
      rows.push({
        database: database.name,
        schema: one.schema,
        table: one.name,
        placement: one.reference ? 'reference' : 'sharded',
        key: one.key ?? null,
        keyType: null,
        declared: true,
        exists: false,
      })
    }
  }
  return listing<TableRow>(
    'SHOW',
    [
      text('database', row => row.database),
      text('schema', row => row.schema),
      text('table', row => row.table),
      text('placement', row => row.placement),
      text('key', row => row.key),
      text('key_type', row => row.keyType),
      text('declared', row => yesNo(row.declared)),
      text('exists', row => yesNo(row.exists)),
    ],
    rows,
  )
}
