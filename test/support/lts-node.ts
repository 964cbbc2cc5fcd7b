import { spawnSync } from 'node:child_process'
import { projectRoot } from '../../src/cluster/project-root.ts'

/** Path of a Node of the current LTS line; installs it first where it is not there. */
export function ltsNode(): string {
  const script = "import { ltsNode } from './scripts/lts-node.mjs'; console.log(`node: ${await ltsNode()}`)"
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: projectRoot(),
    encoding: 'utf8',
  })
  const path = /^node: (.*)$/m.exec(stdout)?.[1]
  if (path === undefined) throw new Error(`no Node of the LTS line: ${stdout}${stderr}`)
  return path
}
