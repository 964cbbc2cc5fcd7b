/** Interleaved rounds: every contender once a round, the order turned each time, so that drift hits all alike. */
import { ticksOf } from './cpu.ts'
import type { PgbenchBinary } from './find-pgbench.ts'
import type { ContenderName } from './options.ts'
import { runPgbench } from './pgbench.ts'
import type { PgbenchTarget } from './pgbench.ts'
import type { Mode, Workload } from './workloads.ts'

export interface Contender {
  readonly name: ContenderName
  readonly target: PgbenchTarget
  /** Roots of the process trees whose processor time counts: the proxy's and its servers'. */
  readonly pids: readonly number[]
}

export interface Case {
  readonly workload: Workload
  readonly mode: Mode
  readonly clients: number
}

export interface Sample {
  readonly workload: Workload['name']
  readonly mode: Mode
  readonly clients: number
  readonly contender: ContenderName
  readonly round: number
  readonly transactions: number
  readonly perSecond: number
  /** Processor time of proxy and Postgres together; NaN where it cannot be read. */
  readonly cpuUsPerStatement: number
  readonly latenciesUs: readonly number[]
}

export interface MeasureOptions {
  readonly pgbench: PgbenchBinary
  readonly seconds: number
  readonly rounds: number
  readonly latencies: boolean
  /** Clock ticks a second; 0 when unknown. */
  readonly ticksPerSecond: number
  readonly signal: AbortSignal
  readonly onSample: (sample: Sample) => void
}

export async function measure(
  contenders: readonly Contender[],
  one: Case,
  options: MeasureOptions,
): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(i + round) % contenders.length]
      if (contender === undefined) continue
      const sample = await measureOnce(contender, one, round, options)
      samples.push(sample)
      options.onSample(sample)
    }
  }
  return samples
}

async function measureOnce(contender: Contender, one: Case, round: number, options: MeasureOptions): Promise<Sample> {
  const before = options.ticksPerSecond > 0 ? ticksOf(contender.pids) : 0
  const run = { ...one, seconds: options.seconds, latencies: options.latencies }
  const result = await runPgbench(options.pgbench, contender.target, run, options.signal).catch((error: unknown) => {
    const name = `${contender.name}, ${one.workload.name}, ${one.mode}, ${one.clients} clients`
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  })
  const ticks = options.ticksPerSecond > 0 ? ticksOf(contender.pids) - before : Number.NaN
  const statements = result.transactions * one.workload.statements
  return {
    workload: one.workload.name,
    mode: one.mode,
    clients: one.clients,
    contender: contender.name,
    round,
    transactions: result.transactions,
    perSecond: result.perSecond,
    cpuUsPerStatement: (ticks / options.ticksPerSecond / statements) * 1e6,
    latenciesUs: result.latenciesUs,
  }
}
