/** Postgres's regression suite, from Debian's source package of the very server that runs here, unpacked in the cache. */
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { privateApt } from '../../bench/debian.ts'
import { runCommand } from '../../bench/run-command.ts'
import type { Binaries } from '../../src/cluster/binaries.ts'
import { cacheFolder } from '../../src/cluster/run-as.ts'

export interface Suite {
  /** With sql/, data/, parallel_schedule and lib/. */
  readonly folder: string
  /** What the tests load; null: they could not be compiled, and the tests that need them fail on both sides alike. */
  readonly libraries: string | null
}

export async function bringSuite(binaries: Binaries, say: (line: string) => void, signal: AbortSignal): Promise<Suite> {
  // The server opens files of it, so it lies where the server's user can enter.
  const folder = join(cacheFolder(binaries.runAs), `regress-${binaries.version}`)
  if (!existsSync(folder)) {
    say(`bringing the source of Postgres ${binaries.version} (once)`)
    const work = await mkdtemp(join(cacheFolder(binaries.runAs), 'regress-work-'))
    try {
      const made = await unpack(binaries, work, signal)
      await makeLibraries(binaries, work, made, signal).catch((error: unknown) => {
        signal.throwIfAborted()
        say(`no regress.so: ${error instanceof Error ? error.message : String(error)}`)
      })
      await rename(made, folder)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
  const libraries = join(folder, 'lib')
  return { folder, libraries: existsSync(join(libraries, 'regress.so')) ? libraries : null }
}

async function unpack({ major, version }: Binaries, work: string, signal: AbortSignal): Promise<string> {
  const apt = await sourceApt(work, signal)
  const name = `postgresql-${major}`
  const { stdout } = await runCommand('apt-cache', [...apt, 'showsrc', name], { signal })
  const versions = [...stdout.matchAll(/^Version: (.*)$/gm)].map(match => match[1] ?? '')
  const exact = versions.find(each => each.startsWith(`${version}-`))
  if (exact === undefined) {
    throw new Error(`Debian's archive has ${name} ${versions.join(', ')}, and the server is ${version}`)
  }
  await runCommand('apt-get', [...apt, 'source', '--download-only', `${name}=${exact}`], { cwd: work, signal })
  const archive = (await readdir(work)).find(file => /\.orig\.tar\.\w+$/.test(file))
  if (archive === undefined) throw new Error(`the source of ${name} brought no .orig.tar`)
  await runCommand('tar', ['-xf', archive, '--wildcards', '*/src/test/regress'], { cwd: work, signal })
  const made = join(work, `postgresql-${version}`, 'src/test/regress')
  await runCommand('chmod', ['-R', 'go+rX', made], { signal })
  return made
}

async function sourceApt(work: string, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await runCommand('sh', ['-c', '. /etc/os-release; printf %s "$VERSION_CODENAME"'], { signal })
  return await privateApt(work, [stdout, `${stdout}-updates`], signal, true)
}

/** regress.so as pg_regress wants it, and beside it the server's own modules that the tests load from the same folder. */
async function makeLibraries(binaries: Binaries, work: string, suite: string, signal: AbortSignal): Promise<void> {
  const headers = await findHeaders(binaries, work, signal)
  const target = join(suite, 'lib')
  await mkdir(target)
  await chmod(target, 0o755)
  const flags = ['-O2', '-fPIC', '-shared', '-fwrapv', '-fno-strict-aliasing', `-I${headers}`]
  await runCommand('gcc', [...flags, '-o', join(target, 'regress.so'), join(suite, 'regress.c')], { signal })
  const { stdout } = await runCommand(join(binaries.bin, 'pg_config'), ['--pkglibdir'], { signal })
  for (const name of ['autoinc.so', 'refint.so']) await copyFile(join(stdout.trim(), name), join(target, name))
}

async function findHeaders({ bin, major, version }: Binaries, work: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await runCommand(join(bin, 'pg_config'), ['--includedir-server'], { signal })
  const own = stdout.trim()
  if (existsSync(join(own, 'postgres.h'))) return own
  const apt = await sourceApt(work, signal)
  const name = `postgresql-server-dev-${major}`
  const { stdout: policy } = await runCommand('apt-cache', [...apt, 'madison', name], { signal })
  const exact = policy
    .split('\n')
    .map(line => line.split('|')[1]?.trim() ?? '')
    .find(each => each.startsWith(`${version}-`))
  if (exact === undefined) throw new Error(`Debian's archive has no ${name} of ${version}`)
  const folder = join(work, 'headers')
  await mkdir(folder)
  await runCommand('apt-get', [...apt, 'download', `${name}=${exact}`], { cwd: folder, signal })
  for (const file of await readdir(folder)) await runCommand('dpkg-deb', ['-x', file, '.'], { cwd: folder, signal })
  return join(folder, own)
}
