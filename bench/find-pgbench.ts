/** pgbench: beside the server's binaries, anywhere on the machine, or from Debian's package, unpacked into the cache. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Binaries, toolPath } from '../src/cluster/binaries.ts'
import { privateApt } from './debian.ts'
import { runCommand } from './run-command.ts'

export interface PgbenchBinary {
  readonly path: string
  readonly version: string
  readonly libraryPath: string
}

const CACHE_NAME = 'pgbench'

export async function findPgbench(
  binaries: Binaries,
  cacheDirectory: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<PgbenchBinary> {
  const cached = join(cacheDirectory, CACHE_NAME)
  for (const path of [toolPath(binaries, 'pgbench'), ...(await machinePrograms('/usr')), 'pgbench']) {
    const found = path === undefined ? null : await inspect(path, '')
    if (found !== null) return found
  }
  if (!existsSync(cached)) {
    say('Downloading Debian’s PostgreSQL package for pgbench (once)')
    await download(cacheDirectory, cached, signal)
  }
  const libraryPath = (await readdir(join(cached, 'usr/lib'))).map(name => join(cached, 'usr/lib', name)).join(':')
  for (const path of await machinePrograms(join(cached, 'usr'))) {
    const found = await inspect(path, libraryPath)
    if (found !== null) return found
  }
  throw new Error('no pgbench on this machine, and Debian’s does not run here: install PostgreSQL’s client programs')
}

/** Debian's own `/usr/bin/pgbench` is a wrapper in Perl; the programs themselves lie here. */
async function machinePrograms(prefix: string): Promise<readonly string[]> {
  const folder = join(prefix, 'lib/postgresql')
  const versions = await readdir(folder).catch(() => [])
  return versions
    .toSorted((a, b) => Number(b) - Number(a))
    .map(version => join(folder, version, 'bin/pgbench'))
    .filter(path => existsSync(path))
}

async function inspect(path: string, libraryPath: string): Promise<PgbenchBinary | null> {
  const env: Record<string, string> = libraryPath === '' ? {} : { LD_LIBRARY_PATH: libraryPath }
  const result = await runCommand(path, ['--version'], { env }).catch(() => null)
  const version = /\(PostgreSQL\) (\S+)/.exec(result?.stdout ?? '')?.[1]
  return version === undefined ? null : { path, version, libraryPath }
}

async function download(cacheDirectory: string, target: string, signal: AbortSignal): Promise<void> {
  await mkdir(cacheDirectory, { recursive: true })
  const work = await mkdtemp(join(cacheDirectory, 'build-pgbench-'))
  try {
    const apt = await privateApt(work, [], signal)
    const names = (await runCommand('apt-cache', [...apt, 'pkgnames', 'postgresql-'], { signal })).stdout
    const newest = names
      .split('\n')
      .filter(name => /^postgresql-\d+$/.test(name))
      .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .at(-1)
    if (newest === undefined) throw new Error('Debian has no postgresql package')
    await runCommand('apt-get', [...apt, 'download', newest, 'libpq5'], { cwd: work, signal })
    const unpacked = join(work, 'unpacked')
    await mkdir(unpacked)
    for (const name of await readdir(work)) {
      if (name.endsWith('.deb')) await runCommand('dpkg-deb', ['-x', name, unpacked], { cwd: work, signal })
    }
    await rename(unpacked, target)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
