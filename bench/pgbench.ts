/** One run of pgbench: throughput from its summary, latencies from its log of single transactions. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PgbenchBinary } from './find-pgbench.ts'
import { runCommand } from './run-command.ts'
import type { Mode, Workload } from './workloads.ts'

export interface PgbenchRun {
  readonly workload: Workload
  readonly mode: Mode
  readonly clients: number
  readonly seconds: number
  /** Collect latencies. Costs pgbench a line per sampled transaction, the same for every contender. */
  readonly latencies: boolean
}

export interface PgbenchTarget {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
}

export interface PgbenchResult {
  readonly transactions: number
  /** Without the time to connect. */
  readonly perSecond: number
  /** Microseconds, ascending; a sample. */
  readonly latenciesUs: readonly number[]
}

/** Above some ten thousand lines a second the log would slow pgbench's one thread down. */
const SAMPLE_RATE = 0.2
/** A contender that stopped answering must not hold up the whole run. */
const OVERTIME_SECONDS = 30

export async function runPgbench(
  program: PgbenchBinary,
  target: PgbenchTarget,
  run: PgbenchRun,
  aborted: AbortSignal,
): Promise<PgbenchResult> {
  const signal = AbortSignal.any([aborted, AbortSignal.timeout((run.seconds + OVERTIME_SECONDS) * 1000)])
  const folder = await mkdtemp(join(tmpdir(), 'shardway-pgbench-'))
  try {
    const script = join(folder, 'script.sql')
    await writeFile(script, run.workload.script)
    const log = run.latencies ? ['--log', '--log-prefix=log', `--sampling-rate=${SAMPLE_RATE}`] : []
    const args = [
      '-n',
      '-f',
      script,
      '-M',
      run.mode,
      '-c',
      `${run.clients}`,
      '-j',
      `${threadsOf(run)}`,
      '-T',
      `${run.seconds}`,
      ...log,
    ]
    const address = ['-h', target.host, '-p', `${target.port}`, '-U', target.user, target.database]
    const env = {
      PGPASSWORD: target.password,
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
      ...(program.libraryPath === '' ? {} : { LD_LIBRARY_PATH: program.libraryPath }),
    }
    const { stdout } = await runCommand(program.path, [...args, ...address], { cwd: folder, env, signal })
    const summary = readSummary(stdout)
    return { ...summary, latenciesUs: run.latencies ? await readLatencies(folder) : [] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * pgbench waits for the answer when it prepares a statement, and its whole thread with it. Where a pool has fewer servers
 * than there are clients, that thread may hold the transactions that the pool waits for: a thread for each client then.
 */
function threadsOf(run: PgbenchRun): number {
  return run.mode === 'prepared' && run.workload.statements > 1 ? run.clients : 1
}

function readSummary(text: string): { transactions: number; perSecond: number } {
  const transactions = Number(/transactions actually processed: (\d+)/.exec(text)?.[1])
  const perSecond = Number(/tps = ([\d.]+) \(without initial connection time\)/.exec(text)?.[1])
  const failed = Number(/number of failed transactions: (\d+)/.exec(text)?.[1] ?? 0)
  // Its clock runs while it connects.
  if (transactions === 0) throw new Error('not one transaction: connecting took the whole time; use a longer --seconds')
  if (!(transactions > 0) || !(perSecond > 0)) throw new Error(`pgbench answered nothing that can be read:\n${text}`)
  if (failed > 0) throw new Error(`${failed} transactions failed`)
  return { transactions, perSecond }
}

/** Lines are `client transaction latency_us script seconds microseconds`; the first second of a cold pool is in them. */
async function readLatencies(folder: string): Promise<readonly number[]> {
  const values: number[] = []
  for (const name of await readdir(folder)) {
    if (!name.startsWith('log.')) continue
    for (const line of (await readFile(join(folder, name), 'latin1')).split('\n')) {
      const latencyUs = Number(line.split(' ')[2])
      if (latencyUs > 0) values.push(latencyUs)
    }
  }
  return values.toSorted((a, b) => a - b)
}
