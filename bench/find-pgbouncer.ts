/**
 * Finds a PgBouncer that can do prepared statements in transaction mode (1.21 brought it, 1.24 made it the default), or
 * builds one from Debian's source package. Nothing is installed: the result lies under `.cache/pgbouncer-VERSION/`.
 */
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { privateApt } from './debian.ts'
import { runCommand } from './run-command.ts'

export interface PgBouncerBinary {
  readonly path: string
  readonly version: string
}

const OLDEST: readonly [number, number] = [1, 24]
/** Suites that carry a new enough source package, the steadiest first. */
const SUITES = ['trixie', 'sid'] as const

export async function findPgBouncer(
  cacheDirectory: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<PgBouncerBinary> {
  const named = process.env['SHARDWAY_PGBOUNCER']
  if (named !== undefined && named !== '') {
    const version = await versionOf(named)
    if (version === null || !newEnough(version)) {
      throw new Error(`SHARDWAY_PGBOUNCER=${named} is ${version ?? 'not a PgBouncer'}; 1.24 or newer is needed`)
    }
    return { path: named, version }
  }
  for (const path of ['pgbouncer', ...(await cachedBinaries(cacheDirectory))]) {
    const version = await versionOf(path)
    if (version !== null && newEnough(version)) return { path, version }
  }
  say('Building PgBouncer from Debian’s source package (once, about 20 s)')
  return build(cacheDirectory, signal)
}

async function cachedBinaries(cacheDirectory: string): Promise<readonly string[]> {
  const names = await readdir(cacheDirectory).catch(() => [])
  return names
    .filter(name => /^pgbouncer-\d/.test(name))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map(name => join(cacheDirectory, name, 'pgbouncer'))
}

async function versionOf(path: string): Promise<string | null> {
  const result = await runCommand(path, ['--version']).catch(() => null)
  return /PgBouncer (\d+\.\d+(?:\.\d+)?)/.exec(result?.stdout ?? '')?.[1] ?? null
}

function newEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

async function build(cacheDirectory: string, signal: AbortSignal): Promise<PgBouncerBinary> {
  await mkdir(cacheDirectory, { recursive: true })
  const work = await mkdtemp(join(cacheDirectory, 'build-pgbouncer-'))
  try {
    const apt = await privateApt(work, SUITES, signal)
    const source = await downloadSource(apt, work, signal)
    const events = await eventLibrary(apt, work, signal)
    // Neither TLS nor DNS nor PAM takes part in the comparison; leaving them out keeps the needed headers to libevent's.
    const without = ['--without-openssl', '--without-cares', '--without-pam', '--without-systemd']
    await runCommand('./configure', [...without, 'CFLAGS=-O2'], { cwd: source, env: events, signal })
    await runCommand('make', [`-j${availableParallelism()}`, 'pgbouncer'], { cwd: source, env: events, signal })
    const built = join(source, 'pgbouncer')
    const version = await versionOf(built)
    if (version === null) throw new Error('the PgBouncer just built does not run')
    const folder = join(cacheDirectory, `pgbouncer-${version}`)
    await mkdir(folder, { recursive: true })
    // Renamed into place: another run that looks at the same moment finds a whole file or none.
    const temporary = join(folder, `pgbouncer.${process.pid}`)
    await copyFile(built, temporary)
    await rename(temporary, join(folder, 'pgbouncer'))
    return { path: join(folder, 'pgbouncer'), version }
  } catch (error) {
    throw new Error('PgBouncer 1.24 or newer could not be brought; SHARDWAY_PGBOUNCER may name a binary', {
      cause: error,
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function downloadSource(apt: readonly string[], work: string, signal: AbortSignal): Promise<string> {
  let last: unknown
  for (const suite of SUITES) {
    try {
      await runCommand('apt-get', [...apt, 'source', '--download-only', `pgbouncer/${suite}`], { cwd: work, signal })
      last = undefined
      break
    } catch (error) {
      last = error
    }
  }
  if (last !== undefined) throw last
  const tarball = (await readdir(work)).find(name => /^pgbouncer_.*\.orig\.tar\.gz$/.test(name))
  if (tarball === undefined) throw new Error('Debian’s source package holds no .orig.tar.gz')
  const source = join(work, 'source')
  await mkdir(source)
  await runCommand('tar', ['-xzf', join(work, tarball), '-C', source, '--strip-components=1'], { signal })
  return source
}

/** Environment for configure. libevent's headers come from Debian's package, unpacked, where the machine has none. */
async function eventLibrary(
  apt: readonly string[],
  work: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const installed = await runCommand('pkg-config', ['--exists', 'libevent'], { signal }).catch(() => null)
  if (installed !== null) return {}
  const folder = join(work, 'libevent')
  await mkdir(folder)
  await runCommand('apt-get', [...apt, 'download', 'libevent-dev'], { cwd: folder, signal })
  const packed = (await readdir(folder)).find(name => name.endsWith('.deb'))
  if (packed === undefined) throw new Error('apt-get download brought no libevent-dev')
  await runCommand('dpkg-deb', ['-x', packed, '.'], { cwd: folder, signal })
  const libraries = join(folder, 'usr/lib')
  const triplet = (await readdir(libraries))[0] ?? ''
  return {
    LIBEVENT_CFLAGS: `-I${folder}/usr/include -I${folder}/usr/include/${triplet}`,
    // The static library: the binary must outlive this folder.
    LIBEVENT_LIBS: join(libraries, triplet, 'libevent.a'),
  }
}
