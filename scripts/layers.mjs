/** The layer rule: imports go downward only (docs/architecture.md has the picture). `npm run layers` */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { root } from './run.mjs'

const BASE = ['errors', 'config', 'observe']
const PROTOCOL = [...BASE, 'protocol']
const SNAPSHOTS = [...PROTOCOL, 'catalog', 'topology']
const CACHE = [...SNAPSHOTS, 'auth', 'router', 'pool', 'cache']
const SESSION = [...CACHE, 'execute', 'session']
const COMMANDS = [...SESSION, 'migrations', 'admin']
const ALL = [...COMMANDS, 'process', 'cli', 'demo', 'cluster', 'dashboard']

/** Layer → the layers it may import, besides itself. */
const MAY_IMPORT = {
  errors: [],
  config: BASE,
  observe: BASE,
  protocol: BASE,
  catalog: [...PROTOCOL, 'topology'],
  topology: [...PROTOCOL, 'catalog'],
  router: SNAPSHOTS,
  pool: [...PROTOCOL, 'topology'],
  auth: [...SNAPSHOTS, 'pool'],
  cache: CACHE,
  execute: CACHE,
  session: [...CACHE, 'execute'],
  migrations: [...SESSION, 'admin'],
  admin: [...SESSION, 'migrations'],
  dashboard: SNAPSHOTS,
  process: COMMANDS.concat('cli', 'dashboard'),
  // Finds, starts and breaks servers: knows the proxy only as a program, and the names in its file.
  cluster: BASE,
  cli: ALL,
  demo: ALL,
}

/** Shared shapes: a type may be named from below where the value may not. */
const TYPES_FOR_ALL = new Set([
  'router/plan.ts',
  'src/process/messages.ts',
  'src/catalog/catalog.ts',
  'src/topology/topology.ts',
])
const TOP = ['router', 'pool', 'migrations']

function layerOf(path) {
  const [first, second] = path.split('/')
  return first === 'src' ? second : first
}

const problems = []
for (const folder of ['src', ...TOP]) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
    const file = relative(root, join(entry.parentPath, entry.name))
    const layer = layerOf(file)
    const allowed = MAY_IMPORT[layer]
    if (allowed === undefined) {
      problems.push(`${file}: folder "${layer}" has no place in scripts/layers.mjs`)
      continue
    }
    const text = readFileSync(join(root, file), 'utf8')
    const imports = text.matchAll(
      /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
    )
    for (const [, type, from, bare, dynamic] of imports) {
      const target = relative(root, resolve(dirname(join(root, file)), from ?? bare ?? dynamic))
      const other = layerOf(target)
      if (other === layer || allowed.includes(other)) continue
      if (type !== undefined && TYPES_FOR_ALL.has(target)) continue
      problems.push(`${file}: ${layer} may not import ${other} (${target})`)
    }
  }
}
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('layers: all imports go downward')
process.exitCode = problems.length === 0 ? 0 : 1
