/** What the tests need beside Node and npm's packages: psql and pgbench, from the machine or from Debian's packages. */
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { bringPackages } from './debian.mjs'
import { StepFailed } from './run.mjs'

const NEEDED = ['psql', 'pgbench']
const MACHINE = '/usr/lib/postgresql'

/** Variables for the tests. Where a tool cannot be brought CI fails; elsewhere the tests that need it do. */
export async function toolEnvironment() {
  const path = (process.env.PATH ?? '').split(delimiter)
  const own = newestBin(MACHINE)
  const wantsMachine = process.env.SHARDWAY_PG_VERSION === 'machine' && !process.env.SHARDWAY_PG_BIN
  const hasServer = own !== undefined || path.some(folder => existsSync(join(folder, 'postgres')))
  const places = own === undefined ? path : [own, ...path]
  const hasTools = NEEDED.every(name => places.some(folder => existsSync(join(folder, name))))
  // Debian keeps pgbench out of PATH; its psql there is a script that picks a version.
  if (hasTools && (hasServer || !wantsMachine)) return { PATH: places.join(delimiter) }
  console.log(`Fetching Debian's Postgres (${NEEDED.join(', ')}) …`)
  try {
    const folder = await bringPackages(['postgresql'])
    const bin = newestBin(join(folder, MACHINE))
    if (bin === undefined) throw new StepFailed(`no Postgres in ${folder}`)
    const libraries = readdirSync(join(folder, 'usr/lib'))
      .filter(name => name.endsWith('-linux-gnu'))
      .map(name => join(folder, 'usr/lib', name))
    return {
      PATH: [bin, ...path].join(delimiter),
      LD_LIBRARY_PATH: [...libraries, ...(process.env.LD_LIBRARY_PATH ?? '').split(delimiter)]
        .filter(Boolean)
        .join(delimiter),
      ...(wantsMachine ? { SHARDWAY_PG_BIN: bin } : {}),
    }
  } catch (error) {
    if (process.env.CI) throw error
    console.error(`${error.message}\nGoing on without: tests that need ${NEEDED.join(' or ')} will fail.`)
    return {}
  }
}

function newestBin(folder) {
  if (!existsSync(folder)) return undefined
  const [newest] = readdirSync(folder)
    .filter(name => existsSync(join(folder, name, 'bin', 'postgres')))
    .toSorted((a, b) => Number(b) - Number(a))
  return newest === undefined ? undefined : join(folder, newest, 'bin')
}
