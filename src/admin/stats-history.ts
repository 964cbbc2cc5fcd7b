/** Counters over workers, and what they were one period ago: the averages of SHOW STATS. */
import type { StatsReport, WorkerReport } from '../process/messages.ts'
import type { StatsWindow } from './context.ts'

/** PgBouncer's stats_period. */
export const STATS_PERIOD_MS = 60_000

type Counters = Omit<StatsReport, 'database'>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const ZERO: Counters = {
  assignments: 0,
  transactions: 0,
  queries: 0,
  bytesReceived: 0,
  bytesSent: 0,
  transactionTimeUs: 0,
  queryTimeUs: 0,
  waitTimeUs: 0,
  clientParses: 0,
  serverParses: 0,
  binds: 0,
  logins: 0,
  readsOnReplicas: 0,
  readsOnPrimaries: 0,
  refusals: 0,
  errors: 0,
}

const FIELDS = Object.keys(ZERO) as ReadonlyArray<keyof Counters>

export function zeroStats(database: string): StatsReport {
  return { database, ...ZERO }
}

/** One row for each database, in the order first seen after `databases`. */
export function sumStats(reports: readonly WorkerReport[], databases: readonly string[]): readonly StatsReport[] {
  const sums = new Map<string, Mutable<StatsReport>>(databases.map(name => [name, zeroStats(name)]))
  for (const report of reports) {
    for (const stats of report.stats) {
      let sum = sums.get(stats.database)
      if (sum === undefined) {
        sum = zeroStats(stats.database)
        sums.set(stats.database, sum)
      }
      for (const field of FIELDS) sum[field] += stats[field]
    }
  }
  return [...sums.values()]
}

/** What was added since `before`; a worker that started anew makes a sum smaller, which counts as nothing. */
export function statsSince(now: StatsReport, before: StatsReport | undefined): StatsReport {
  const difference: Mutable<StatsReport> = { ...now }
  for (const field of FIELDS) difference[field] = Math.max(0, now[field] - (before?.[field] ?? 0))
  return difference
}

/** Keeps two samples a period apart, so that averages always span at least one period once that has passed. */
export class StatsHistory {
  #older: StatsWindow
  #newer: StatsWindow

  constructor(startedAtMs: number) {
    this.#older = { atMs: startedAtMs, stats: [] }
    this.#newer = this.#older
  }

  /** To be called every STATS_PERIOD_MS. */
  record(reports: readonly WorkerReport[], nowMs: number): void {
    this.#older = this.#newer
    this.#newer = { atMs: nowMs, stats: sumStats(reports, []) }
  }

  window(): StatsWindow {
    return this.#older
  }
}
