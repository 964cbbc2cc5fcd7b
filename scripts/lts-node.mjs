/** A Node of the current LTS line: the npm package `node`, in `.cache/node-lts`, not in node_modules. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, root, run, StepFailed } from './run.mjs'

const LTS = '24'

/** Path of a Node of the LTS line. */
export async function ltsNode() {
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
