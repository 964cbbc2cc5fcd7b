/** One pass of psql over the schedule's files, as psql_start_test() of pg_regress_main.c starts it. */
import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Binaries } from '../../src/cluster/binaries.ts'
import { makePrivateFolder, makeTemporaryFolder } from '../../src/cluster/run-as.ts'
import { plainEnvironment, supervisor } from '../../src/cluster/supervisor.ts'
import type { Target } from './arena.ts'
import type { Suite } from './suite.ts'

export interface Pass {
  readonly binaries: Binaries
  readonly suite: Suite
  readonly tests: readonly string[]
  readonly target: Target
  readonly limitMs: number
  /** Where the outputs are kept. */
  readonly outputs: string
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** Resolves with the files that took longer than the limit: their psql was killed. What was not run has no output. */
export async function runSchedule(pass: Pass): Promise<readonly string[]> {
  const { binaries, tests, outputs } = pass
  // The server and psql both write there. No test prints the path.
  const build = makeTemporaryFolder('shardway-regress-', binaries.runAs)
  supervisor().discardAtEnd(build)
  makePrivateFolder(join(build, 'results'), binaries.runAs)
  const late: string[] = []
  for (const test of tests) {
    if (pass.signal.aborted) break
    const start = performance.now()
    const inTime = await runFile(pass, test, build)
    // The one that was running then is not run to its end.
    if (pass.signal.aborted) {
      await rm(join(build, 'results', `${test}.out`), { force: true })
      break
    }
    if (!inTime) late.push(test)
    pass.say(`${test} ${Math.round(performance.now() - start)} ms${inTime ? '' : ': too late'}`)
  }
  await rm(outputs, { recursive: true, force: true })
  await mkdir(outputs, { recursive: true })
  for (const test of tests) {
    await cp(join(build, 'results', `${test}.out`), join(outputs, `${test}.out`)).catch(() => undefined)
  }
  await supervisor().discard(build)
  return late
}

async function runFile(pass: Pass, test: string, build: string): Promise<boolean> {
  const { binaries, suite, target, limitMs, signal } = pass
  const psql = join(binaries.bin, 'psql')
  const child = await supervisor().start('/bin/sh', {
    args: [
      '-c',
      'exec "$0" -X -a -q -d "$1" -v HIDE_TABLEAM=on -v HIDE_TOAST_COMPRESSION=on < "$2" > "$3" 2>&1',
      psql,
      target.database,
      join(suite.folder, 'sql', `${test}.sql`),
      join(build, 'results', `${test}.out`),
    ],
    runAs: binaries.runAs,
    cwd: build,
    env: environment(pass, test, build),
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), limitMs)
    signal.addEventListener('abort', () => resolve(false), { once: true })
  })
  const inTime = await Promise.race([child.exited.then(() => true), late])
  clearTimeout(timer)
  if (!inTime) await child.control('kill')
  return inTime
}

/** initialize_environment() of pg_regress.c with --no-locale. */
function environment({ suite, target }: Pass, test: string, build: string): Record<string, string> {
  const { LC_ALL: _unset, TZ: _server, ...plain } = plainEnvironment()
  return {
    ...plain,
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGPASSWORD: target.password,
    PGAPPNAME: `pg_regress/${test}`,
    PG_ABS_SRCDIR: suite.folder,
    PG_ABS_BUILDDIR: build,
    PG_LIBDIR: suite.libraries ?? join(suite.folder, 'lib'),
    PG_DLSUFFIX: '.so',
    PGTZ: 'America/Los_Angeles',
    PGDATESTYLE: 'Postgres, MDY',
    PGOPTIONS: '-c intervalstyle=postgres_verbose',
    LC_MESSAGES: 'C',
  }
}
