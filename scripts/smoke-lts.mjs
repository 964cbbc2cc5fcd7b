/**
 * Shardway on the current LTS of Node, whatever Node runs this script: `--version`, and `serve` before one Postgres until
 * it answers a query. The LTS comes as the npm package `node` into `.cache/node-lts`, not into node_modules.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { capture, main, root, run, StepFailed } from './run.mjs'
import { setup } from './setup.mjs'

const LTS = '24'

await main(async () => {
  await setup()
  await build()
  const node = await ltsNode()
  const results = []
  const check = async (name, body) => {
    try {
      await body()
      results.push(true)
      console.log(`ok: ${name}`)
    } catch (error) {
      results.push(false)
      console.log(`FAILED: ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  await check('shardway --version', async () => {
    const { code, output } = await capture(node, [join(root, 'dist/src/cli/main.js'), '--version'])
    if (code !== 0 || !/\d+\.\d+\.\d+/.test(output)) throw new Error(`exit code ${code}: ${output.trim()}`)
  })
  await check('serve answers queries and drains', async () => {
    const { code, output } = await capture(node, [join(root, 'scripts/smoke-serve.mjs')])
    if (code !== 0) throw new Error(`exit code ${code}: ${output.trim()}`)
  })
  const passed = results.filter(Boolean).length
  console.log(`smoke:lts: ${passed} passed, ${results.length - passed} failed`)
  return passed === results.length ? 0 : 1
})

/** Path of a Node of the LTS line. */
async function ltsNode() {
  if (process.versions.node.split('.')[0] === LTS) return process.execPath
  const folder = join(root, '.cache/node-lts')
  const node = join(folder, 'node_modules/node/bin/node')
  const runs = async () => {
    if (!existsSync(node)) return false
    const { code, output } = await capture(node, ['--version'])
    return code === 0 && output.startsWith(`v${LTS}.`)
  }
  if (await runs()) return node
  console.log(`Installing Node ${LTS} into .cache/node-lts (npm package node) …`)
  mkdirSync(folder, { recursive: true })
  // Without a package.json of its own npm would climb up to Shardway's.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--no-package-lock']
  const code = await run('npm', ['install', '--prefix', folder, ...options, `node@${LTS}`], { cwd: folder })
  if (code === 0 && !(await runs())) {
    // npm may have been told to run no install scripts; this one puts the platform's binary in its place.
    const script = join(folder, 'node_modules/node/installArchSpecificPackage.js')
    if (existsSync(script)) await run(process.execPath, [script], { cwd: join(folder, 'node_modules/node') })
  }
  if (!(await runs())) throw new StepFailed(`Node ${LTS} could not be installed`)
  return node
}
