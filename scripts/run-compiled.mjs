/** For `npm run bench`, `soak`, `fuzz` and `test:regress`: installs, builds, compiles what they are made of too, and runs one file of it. */
import { join } from 'node:path'
import { build } from './build.mjs'
import { root, run, StepFailed } from './run.mjs'
import { setup } from './setup.mjs'

/** Resolves with the exit code. The file itself minds Ctrl-C: it stops what it started, then ends. */
export async function runCompiled(file, args) {
  await setup()
  await build()
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const memory = ['--incremental', '--tsBuildInfoFile', join(root, 'dist', '.tsbuildinfo-bench')]
  const code = await run(process.execPath, [compiler, '-p', 'tsconfig.bench.json', ...memory])
  if (code !== 0) throw new StepFailed('bench, soak, fuzz and regress do not compile')
  return run(process.execPath, [join(root, 'dist', file), ...args])
}
