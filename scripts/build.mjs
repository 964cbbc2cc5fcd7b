/** Compiles into dist/, with what tsc leaves out: assets, plain modules, the executable bit. Nothing when up to date. */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { isMain, main, root, run, StepFailed } from './run.mjs'

const FOLDERS = ['src', 'router', 'pool', 'migrations']
const ASSETS = /\.(mjs|js|html|css|svg|sql|json)$/
const dist = join(root, 'dist')
const stampPath = join(dist, '.stamp')

export async function build() {
  const files = FOLDERS.flatMap(folder => list(join(root, folder)))
  const stamp = stampOf(files)
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp && existsSync(outputOf(files[0] ?? ''))) return
  console.log('Building …')
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  rmSync(stampPath, { force: true })
  const code = await run(process.execPath, [compiler, '-p', 'tsconfig.build.json', ...incremental()])
  if (code !== 0) throw new StepFailed('the build failed')
  const outputs = new Set(files.map(outputOf))
  for (const file of files.filter(path => ASSETS.test(path))) {
    mkdirSync(dirname(outputOf(file)), { recursive: true })
    copyFileSync(file, outputOf(file))
  }
  // What a removed source left behind would still be imported.
  for (const folder of FOLDERS) for (const file of list(join(dist, folder))) if (!outputs.has(file)) rmSync(file)
  const entry = join(dist, 'src', 'cli', 'main.js')
  if (existsSync(entry)) chmodSync(entry, 0o755)
  writeFileSync(stampPath, stamp)
}

function incremental() {
  // Beside the output: whoever removes the one removes the other.
  return ['--incremental', '--tsBuildInfoFile', join(dist, '.tsbuildinfo')]
}

function list(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && (entry.name.endsWith('.ts') || ASSETS.test(entry.name)))
    .map(entry => join(entry.parentPath, entry.name))
    .toSorted()
}

function outputOf(file) {
  return join(dist, relative(root, file)).replace(/(?<!\.d)\.ts$/, '.js')
}

function stampOf(files) {
  const hash = createHash('sha256')
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json', 'scripts/build.mjs']
  for (const file of [...settings.map(name => join(root, name)), ...files]) {
    hash.update(`${relative(root, file)}\0`)
    hash.update(readFileSync(file))
  }
  return hash.digest('hex')
}

if (isMain(import.meta.url)) await main(build)
