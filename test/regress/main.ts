/** `npm run test:regress`: Postgres's own regression schedule, direct and through Shardway, compared file by file. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binaries, findBinaries, toolPath } from '../../src/cluster/binaries.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { closeSupervisor } from '../../src/cluster/supervisor.ts'
import { VERSION } from '../../src/observe/version.ts'
import { openArena } from './arena.ts'
import { compareRuns, type Difference } from './compare.ts'
import { readOptions, type RegressOptions, type RunName, USAGE } from './options.ts'
import { type Report, type RunResult, toMarkdown } from './report.ts'
import { runSchedule } from './run-schedule.ts'
import { readSchedule } from './schedule.ts'
import { bringSuite, type Suite } from './suite.ts'

interface Ran {
  readonly seconds: number
  readonly late: readonly string[]
  readonly errors: readonly string[]
}

const say = (line: string): void => console.log(`regress: ${line}`)
const outputsOf = (run: RunName): string => join(projectRoot(), '.cache/regress', run)

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
  const start = new Date()
  const binaries = findBinaries()
  if (toolPath(binaries, 'psql') === undefined) throw new Error(`no psql beside the server in ${binaries.bin}`)
  const suite = await bringSuite(binaries, say, signal)
  const all = readSchedule(await readFile(join(suite.folder, 'parallel_schedule'), 'utf8'))
  const tests = all.filter(test => options.tests?.includes(test) ?? true)
  const results: RunResult[] = []
  for (const run of options.runs) {
    const ran = await runOnce(run, options, { binaries, suite, tests, signal })
    if (signal.aborted) {
      say('ended early, nothing is judged')
      return 130
    }
    if (run === 'direct') continue
    const again = run === 'again' || !existsSync(outputsOf('again')) ? null : outputsOf('again')
    const comparison = await compareRuns(tests, outputsOf('direct'), outputsOf(run), again)
    const { equal, unstable, different } = comparison
    await writeDiff(run, different)
    say(`${run}: ${equal.length} equal, ${unstable.length} as unstable as direct runs, ${different.length} different`)
    if (different.length > 0) say(`${run}: ${different.map(({ test }) => test).join(', ')}`)
    results.push({ run, ...ran, comparison })
  }
  if (options.tests !== null || options.runs.length < 4) return 0
  await writeResult({
    start: start.toISOString(),
    end: new Date().toISOString(),
    shardway: VERSION,
    postgres: binaries.version,
    workers: options.workers,
    regressLibrary: suite.libraries !== null,
    files: tests.length,
    runs: results,
  })
  return 0
}

async function runOnce(
  run: RunName,
  options: RegressOptions,
  given: {
    readonly binaries: Binaries
    readonly suite: Suite
    readonly tests: readonly string[]
    readonly signal: AbortSignal
  },
): Promise<Ran> {
  const { binaries, suite, tests, signal } = given
  const start = performance.now()
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
      stopped: () => signal.aborted,
    })
    const lines = arena.shardway?.lines ?? []
    const errors = lines.filter(line => /"log\.level":"(error|fatal)"/.test(line))
    await writeFile(join(outputsOf(run), 'shardway.log'), lines.map(line => `${line}\n`).join(''))
    return { seconds: Math.round((performance.now() - start) / 1000), late, errors }
  } finally {
    await arena.stop()
  }
}

async function writeDiff(run: RunName, different: readonly Difference[]): Promise<void> {
  const text = different.map(({ test, hunks }) => `=== ${test}\n${hunks.join('\n')}\n`).join('\n')
  await writeFile(join(outputsOf(run), 'all.diff'), text)
}

async function writeResult(report: Report): Promise<void> {
  const folder = join(projectRoot(), 'test/regress/results')
  await mkdir(folder, { recursive: true })
  const base = join(folder, `postgres-${report.postgres}-${report.start.slice(0, 10)}`)
  await writeFile(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`)
  await writeFile(`${base}.md`, toMarkdown(report))
  say(`${base}.md`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
