/** `npm run bench`: starts the contenders, runs the rounds, prints the table; with --gate also a verdict. */
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { findBinaries } from '../src/cluster/binaries.ts'
import { projectRoot } from '../src/cluster/project-root.ts'
import { closeSupervisor } from '../src/cluster/supervisor.ts'
import { type Arena, startArena } from './contenders.ts'
import { clockTicks } from './cpu.ts'
import { findPgbench } from './find-pgbench.ts'
import { findPgBouncer } from './find-pgbouncer.ts'
import { type Case, type Contender, measure, type MeasureOptions, type Sample } from './measure.ts'
import { type BenchOptions, readOptions, USAGE } from './options.ts'
import { caseLines, HEADING, judge, type Verdict } from './report.ts'

/** Of PgBouncer's throughput; the whole 95 % interval must lie below for the gate to fail. */
const GATE_BOUND = 0.6
const WARM_UP_SECONDS = 1

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => abort.abort())
  }
  let arena: Arena | null = null
  // The kit lets a program end that waits for nothing but servers to stop.
  const awake = setInterval(() => {}, 60_000)
  try {
    const cache = join(projectRoot(), '.cache')
    const pgbench = await findPgbench(findBinaries(), cache, say, abort.signal)
    const pgbouncer = options.contenders.includes('pgbouncer') ? await findPgBouncer(cache, say, abort.signal) : null
    say('Starting the servers and loading the rows')
    arena = await startArena({
      names: options.contenders,
      workers: options.workers,
      pgbouncer: pgbouncer?.path ?? null,
    })
    say(`PostgreSQL ${arena.postgres}, fsync off; pgbench ${pgbench.version}`)
    if (pgbouncer !== null) say(`PgBouncer ${pgbouncer.version}, transaction mode`)
    say(`Shardway: ${options.workers} worker(s), two shards; Node ${process.versions.node}`)
    say(`${availableParallelism()} × ${cpus()[0]?.model ?? 'processor'}; all of it on this one machine`)
    say(`${options.rounds} rounds of ${options.seconds} s, interleaved`)
    const samples: Sample[] = []
    const verdicts = await runCases(arena, options, {
      pgbench,
      seconds: options.seconds,
      rounds: options.rounds,
      latencies: !options.gate,
      ticksPerSecond: await clockTicks(),
      signal: abort.signal,
      onSample: sample => samples.push(sample),
    })
    if (options.json !== null) await writeJson(options.json, options, samples)
    if (!options.gate) return 0
    for (const { line } of verdicts) say(line)
    const passed = verdicts.filter(verdict => verdict.passed).length
    say(`bench:gate: ${passed} passed, ${verdicts.length - passed} failed`)
    return passed === verdicts.length && passed > 0 ? 0 : 1
  } catch (error) {
    if (!abort.signal.aborted) throw error
    say('bench: ended early')
    return 130
  } finally {
    await arena?.stop().catch(() => {})
    await closeSupervisor()
    clearInterval(awake)
  }
}

async function runCases(arena: Arena, options: BenchOptions, how: MeasureOptions): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  say(`\n${HEADING}`)
  for (const workload of options.workloads) {
    for (const mode of options.modes) {
      for (const clients of options.clients) {
        const one: Case = { workload, mode, clients }
        await arena.tidy()
        await warmUp(arena.contenders, one, how)
        const samples = await measure(arena.contenders, one, how)
        for (const line of caseLines(one, samples)) say(line)
        verdicts.push(judge(one, samples, GATE_BOUND))
      }
    }
    say('')
  }
  return verdicts
}

/** Connections, caches and compiled code: the first run of a contender is not what it does from then on. */
async function warmUp(contenders: readonly Contender[], one: Case, how: MeasureOptions): Promise<void> {
  const brief = { ...how, rounds: 1, seconds: WARM_UP_SECONDS, latencies: false, onSample: () => {} }
  await measure(contenders, one, brief)
}

async function writeJson(path: string, options: BenchOptions, samples: readonly Sample[]): Promise<void> {
  const { rounds, seconds, workers } = options
  const node = process.versions.node
  // Single latencies would be megabytes; the table has their percentiles.
  const figures = samples.map(sample => ({ ...sample, latenciesUs: undefined }))
  await writeFile(
    path,
    `${JSON.stringify({ at: new Date().toISOString(), node, rounds, seconds, workers, figures }, null, 2)}\n`,
  )
}

function say(line: string): void {
  console.log(line)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  if (error instanceof Error && !error.message.includes(cause)) console.error(cause)
  process.exitCode = 1
}
