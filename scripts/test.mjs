/**
 * `npm test`: installs, builds, runs every suite, and fails when a process that they started is left.
 * `npm test -- test/router -t slots` passes everything on to vitest. SHARDWAY_TEST_REPORT names a JSON report.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from './build.mjs'
import { main, root, run } from './run.mjs'
import { setup } from './setup.mjs'
import { toolEnvironment } from './tools.mjs'

await main(async () => {
  await setup()
  await build()
  const tools = await toolEnvironment()
  const report = process.env.SHARDWAY_TEST_REPORT ?? join(root, '.cache', 'test-report.json')
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  // Inherited by everything that the tests start, and the name that the servers' processes carry.
  const mark = `shardway-test-${randomBytes(6).toString('hex')}`
  const code = await run(
    process.execPath,
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)],
    {
      env: { ...process.env, ...tools, SHARDWAY_TEST_REPORT: report, SHARDWAY_TEST_RUN: mark },
    },
  )
  const left = await leftover(mark)
  for (const { pid, command } of left) {
    console.error(`left behind: process ${pid}: ${command}`)
    process.kill(pid, 'SIGKILL')
  }
  const { passed, failed, skipped } = counts(report)
  // A file that could not be loaded has no tests to count.
  const failures = Math.max(failed, code === 0 ? 0 : 1) + left.length
  if (process.env.SHARDWAY_TEST_SUMMARY) writeFileSync(process.env.SHARDWAY_TEST_SUMMARY, `${passed} ${failures}\n`)
  console.log(`${passed} passed, ${failures} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`)
  return failures === 0 ? 0 : 1
})

function counts(report) {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 }
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests }
}

/** Processes of this run that are there after ten seconds. Supervisors need a moment to end their servers. */
async function leftover(mark) {
  let found = []
  for (let attempt = 0; attempt < 100; attempt++) {
    found = marked(mark)
    if (found.length === 0) return found
    await sleep(100)
  }
  return found
}

function marked(mark) {
  if (!existsSync('/proc/self/environ')) return []
  const found = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      // The title of a Postgres process overwrites its environment, but holds cluster_name. A zombie has neither.
      if (command.includes(mark) || readFileSync(`/proc/${entry}/environ`, 'latin1').includes(mark)) {
        found.push({ pid: Number(entry), command })
      }
    } catch {
      // Not ours, or gone.
    }
  }
  return found
}
