/** SHOW STATS, STATS_TOTALS, STATS_AVERAGES and TOTALS: PgBouncer's columns in its order, times in microseconds. */
import type { ConsoleResult, StatsReport } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { type Column, listing, numeric, text } from '../result.ts'
import { statsSince, sumStats } from '../stats-history.ts'

interface StatsRow {
  readonly total: StatsReport
  /** What was added in the last period. */
  readonly recent: StatsReport
  readonly seconds: number
}

/** Names differ between SHOW STATS and STATS_TOTALS for bytes only. */
interface Figure {
  readonly total: string
  readonly totals: string
  readonly average: string
  readonly count: (stats: StatsReport) => number
  /** Averaged over this count instead of over seconds: the mean duration of one. */
  readonly per?: (stats: StatsReport) => number
}

const FIGURES: readonly Figure[] = [
  figure('server_assignment_count', stats => stats.assignments),
  figure('xact_count', stats => stats.transactions),
  figure('query_count', stats => stats.queries),
  { total: 'total_received', totals: 'bytes_received', average: 'avg_recv', count: stats => stats.bytesReceived },
  { total: 'total_sent', totals: 'bytes_sent', average: 'avg_sent', count: stats => stats.bytesSent },
  { ...figure('xact_time', stats => stats.transactionTimeUs), per: stats => stats.transactions },
  { ...figure('query_time', stats => stats.queryTimeUs), per: stats => stats.queries },
  figure('wait_time', stats => stats.waitTimeUs),
  figure('client_parse_count', stats => stats.clientParses),
  figure('server_parse_count', stats => stats.serverParses),
  figure('bind_count', stats => stats.binds),
  figure('client_login_count', stats => stats.logins),
]

function figure(name: string, count: (stats: StatsReport) => number): Figure {
  return { total: `total_${name}`, totals: name, average: `avg_${name}`, count }
}

const DATABASE = text<StatsRow>('database', row => row.total.database)

const OWN: ReadonlyArray<Column<StatsRow>> = [
  numeric('total_replica_reads', row => row.total.readsOnReplicas),
  numeric('total_primary_reads', row => row.total.readsOnPrimaries),
  numeric('total_refusals', row => row.total.refusals),
  numeric('total_errors', row => row.total.errors),
]

/** In STATS_AVERAGES the first eight have no prefix, the counts added later have (PgBouncer's stats.c). */
const PREFIXED_AVERAGES = new Set([
  'avg_client_parse_count',
  'avg_server_parse_count',
  'avg_bind_count',
  'avg_client_login_count',
])

export async function showStats(context: AdminContext): Promise<ConsoleResult> {
  const columns = [
    DATABASE,
    ...FIGURES.map(one => numeric<StatsRow>(one.total, row => total(one, row))),
    ...FIGURES.map(one => numeric<StatsRow>(one.average, row => average(one, row))),
    ...OWN,
  ]
  return listing('SHOW', columns, await statsRows(context))
}

export async function showStatsTotals(context: AdminContext): Promise<ConsoleResult> {
  const columns = FIGURES.map(one => numeric<StatsRow>(one.totals, row => total(one, row)))
  return listing('SHOW', [DATABASE, ...columns], await statsRows(context))
}

export async function showStatsAverages(context: AdminContext): Promise<ConsoleResult> {
  const columns = FIGURES.map(one => {
    const name = PREFIXED_AVERAGES.has(one.average) ? one.average : one.totals
    return numeric<StatsRow>(name, row => average(one, row))
  })
  return listing('SHOW', [DATABASE, ...columns], await statsRows(context))
}

export async function showTotals(context: AdminContext): Promise<ConsoleResult> {
  const rows = await statsRows(context)
  const sum = (value: (row: StatsRow) => number): number => rows.reduce((total, row) => total + value(row), 0)
  const all: Array<readonly [string, number]> = [
    ...FIGURES.map(one => [one.total, Math.round(sum(row => one.count(row.total)))] as const),
    ...FIGURES.map(one => {
      if (one.per === undefined) return [one.average, sum(row => average(one, row))] as const
      const per = one.per
      const count = sum(row => per(row.recent))
      return [one.average, count === 0 ? 0 : Math.round(sum(row => one.count(row.recent)) / count)] as const
    }),
  ]
  return listing<readonly [string, number]>('SHOW', [text('name', row => row[0]), numeric('value', row => row[1])], all)
}

/** Clocks give fractions of a microsecond; exporters read whole ones. */
function total(one: Figure, row: StatsRow): number {
  return Math.round(one.count(row.total))
}

function average(one: Figure, row: StatsRow): number {
  const divisor = one.per === undefined ? row.seconds : one.per(row.recent)
  return divisor <= 0 ? 0 : Math.round(one.count(row.recent) / divisor)
}

async function statsRows(context: AdminContext): Promise<readonly StatsRow[]> {
  const reports = await context.reports()
  const totals = sumStats(
    reports,
    context.config.databases.map(database => database.name),
  )
  const window = context.statsWindow()
  const seconds = Math.max(0.001, (context.nowMs() - window.atMs) / 1000)
  return totals.map(total => {
    const before = window.stats.find(one => one.database === total.database)
    return { total, recent: statsSince(total, before), seconds }
  })
}
