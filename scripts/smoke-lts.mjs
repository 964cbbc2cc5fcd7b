/**
 * Shardway on the current LTS of Node, whatever Node runs this script: `--version`, and `serve` before one Postgres until
 * it answers a query.
 */
import { join } from 'node:path'
import { build } from './build.mjs'
import { ltsNode } from './lts-node.mjs'
import { capture, main, root } from './run.mjs'
import { setup } from './setup.mjs'

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
