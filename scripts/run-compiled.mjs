/** For `npm run bench`, `soak` and `fuzz`: installs, builds, compiles bench/, test/soak/ and test/fuzz/ too, and runs one file of them. */
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
  if (code !== 0) throw new StepFailed('bench, soak and fuzz do not compile')
  return run(process.execPath, [join(root, 'dist', file), ...args])
}
