/** `npm run fuzz -- --target client|server`: leaves an artefact under test/fuzz/results/. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { closeSupervisor } from '../../src/cluster/supervisor.ts'
import { type FuzzOptions, readOptions, USAGE } from './options.ts'
import { fuzz, type Result } from './run.ts'

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  let aborted = false
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      aborted = true
    })
  }
  const start = new Date()
  // The kit lets a program end that waits for nothing but servers to stop.
  const awake = setInterval(() => {}, 60_000)
  try {
    console.log(`fuzz: bytes of the ${options.target}, ${options.seconds} s, seed ${options.seed}`)
    const result = await fuzz(options, () => aborted)
    if (aborted) {
      console.log('fuzz: ended early, nothing is judged')
      return 130
    }
    await writeArtefact(options, start, result)
    return report(result)
  } finally {
    await closeSupervisor()
    clearInterval(awake)
  }
}

async function writeArtefact(options: FuzzOptions, start: Date, result: Result): Promise<void> {
  const folder = join(projectRoot(), 'test/fuzz/results')
  await mkdir(folder, { recursive: true })
  const checks = result.checks.map(({ name, problems }) => ({ name, problems: problems.slice(0, 50) }))
  const artefact = {
    ...options,
    start: start.toISOString(),
    end: new Date().toISOString(),
    counts: result.counts,
    checks,
  }
  const path = join(folder, `${options.target}-${start.toISOString().replaceAll(/[:.]/g, '-')}.json`)
  await writeFile(path, `${JSON.stringify(artefact, null, 2)}\n`)
  console.log(`fuzz: ${path}`)
}

function report({ checks, counts }: Result): number {
  console.log(`fuzz: ${JSON.stringify(counts)}`)
  for (const { name, problems } of checks) {
    console.log(`${problems.length === 0 ? 'ok' : 'FAILED'}: ${name}`)
    for (const problem of problems.slice(0, 20)) console.log(`    ${problem}`)
    if (problems.length > 20) console.log(`    … ${problems.length - 20} more`)
  }
  const passed = checks.filter(({ problems }) => problems.length === 0).length
  console.log(`fuzz: ${passed} passed, ${checks.length - passed} failed`)
  return passed === checks.length ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
