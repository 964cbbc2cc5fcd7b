/** `npm run test:regress`: Postgres's own regression schedule, direct and through Shardway, compared file by file. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binaries, findBinaries, toolPath } from '../../src/cluster/binaries.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { closeSupervisor } from '../../src/cluster/supervisor.ts'
import { VERSION } from '../../src/observe/version.ts'
import { openArena } from './arena.ts'
import { compareRuns } from './compare.ts'
import { keepRun, keptRun, outputsOf } from './kept-runs.ts'
import { readOptions, type RegressOptions, type RunName, RUNS, USAGE } from './options.ts'
import { type Report, type RunResult, shortened, toMarkdown } from './report.ts'
import { runSchedule } from './run-schedule.ts'
import { readSchedule } from './schedule.ts'
import { bringSuite, type Suite } from './suite.ts'

const say = (line: string): void => console.log(`regress: ${line}`)

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => abort.abort())
  // The kit lets a program end that waits for nothing but servers to stop.
  const awake = setInterval(() => {}, 60_000)
  try {
    return await regress(options, abort.signal)
  } finally {
    await closeSupervisor()
    clearInterval(awake)
  }
}

async function regress(options: RegressOptions, signal: AbortSignal): Promise<number> {
  const binaries = findBinaries()
  if (toolPath(binaries, 'psql') === undefined) throw new Error(`no psql beside the server in ${binaries.bin}`)
  const suite = await bringSuite(binaries, say, signal)
  const all = readSchedule(await readFile(join(suite.folder, 'parallel_schedule'), 'utf8'))
  const wanted = all.filter(test => options.tests?.includes(test) ?? true)
  const tests = wanted.filter(test => !options.skip.includes(test))
  for (const run of options.runs) {
    await runOnce(run, options, { binaries, suite, tests, signal })
    if (signal.aborted) {
      say('ended early')
      break
    }
  }
  const results = await judge(wanted)
  const direct = await keptRun('direct')
  const versions = [direct, ...results].map(run => run?.postgres)
  const whole = options.tests === null && results.length === RUNS.length - 1 && direct !== null
  if (!whole || versions.some(version => version !== binaries.version)) return 0
  await writeResult({
    shardway: VERSION,
    postgres: binaries.version,
    regressLibrary: suite.libraries !== null,
    files: wanted.length,
    direct,
    runs: results,
  })
  return 0
}

/** Every run that the cache holds of these files, against the direct one. */
async function judge(tests: readonly string[]): Promise<readonly RunResult[]> {
  const results: RunResult[] = []
  for (const run of RUNS) {
    const kept = run === 'direct' ? null : await keptRun(run)
    if (kept === null) continue
    const again = run === 'again' || !existsSync(outputsOf('again')) ? null : outputsOf('again')
    const comparison = await compareRuns(tests, outputsOf('direct'), outputsOf(run), again)
    const { equal, unstable, different, missing } = comparison
    const text = different.map(({ test, hunks }) => `=== ${test}\n${hunks.join('\n')}\n`).join('\n')
    await writeFile(join(outputsOf(run), 'all.diff'), text)
    say(`${run}: ${equal.length} equal, ${unstable.length} as unstable as direct runs, ${different.length} different`)
    if (missing.length > 0) say(`${run}: ${missing.length} not run`)
    if (different.length > 0) say(`${run}: ${different.map(({ test }) => test).join(', ')}`)
    results.push({ run, ...kept, comparison })
  }
  return results
}

interface Given {
  readonly binaries: Binaries
  readonly suite: Suite
  readonly tests: readonly string[]
  readonly signal: AbortSignal
}

async function runOnce(run: RunName, options: RegressOptions, given: Given): Promise<void> {
  const { binaries, suite, tests, signal } = given
  const start = new Date()
  const arena = await openArena(run, options)
  try {
    const late = await runSchedule({
      binaries,
      suite,
      tests,
      target: arena.target,
      limitMs: options.limitSeconds * 1000,
      outputs: outputsOf(run),
      say: line => say(`${run}: ${line}`),
      signal,
    })
    const lines = arena.shardway?.lines ?? []
    await writeFile(join(outputsOf(run), 'shardway.log'), lines.map(line => `${line}\n`).join(''))
    await keepRun(run, {
      start: start.toISOString(),
      seconds: Math.round((Date.now() - start.getTime()) / 1000),
      postgres: binaries.version,
      workers: options.workers,
      late: [...late],
      errors: lines.filter(line => /"log\.level":"(error|fatal)"|internal error/.test(line)),
    })
  } finally {
    await arena.stop()
  }
}

async function writeResult(report: Report): Promise<void> {
  const folder = join(projectRoot(), 'test/regress/results')
  await mkdir(folder, { recursive: true })
  const starts = report.runs.map(({ start }) => start).toSorted()
  const base = join(folder, `postgres-${report.postgres}-${(starts.at(-1) ?? '').slice(0, 10)}`)
  const runs = report.runs.map(({ comparison, ...rest }) => ({
    ...rest,
    comparison: { ...comparison, different: comparison.different.map(shortened) },
  }))
  await writeFile(`${base}.json`, `${JSON.stringify({ ...report, runs }, null, 2)}\n`)
  await writeFile(`${base}.md`, toMarkdown(report))
  say(`${base}.md`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
