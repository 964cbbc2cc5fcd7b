/** apt with lists and sources of its own, so that no right and no change on the machine is needed. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Options for `apt-get`: binary packages of this machine's release, source packages of the suites named. `security`: both
 * from the archive of security updates as well, where a machine's server often comes from.
 */
export async function privateApt(
  work: string,
  sourceSuites: readonly string[],
  signal: AbortSignal,
  security = false,
): Promise<readonly string[]> {
  const { codename, mirror } = await machineMirror(signal)
  const option = `[signed-by=${KEYRING}]`
  const sources = [
    `deb ${option} ${mirror} ${codename} main`,
    ...sourceSuites.map(suite => `deb-src ${option} ${mirror} ${suite} main`),
    ...(security
      ? ['deb', 'deb-src'].map(kind => `${kind} ${option} ${securityOf(mirror)} ${codename}-security main`)
      : []),
  ]
  await mkdir(join(work, 'apt/lists/partial'), { recursive: true })
  await mkdir(join(work, 'apt/cache/archives/partial'), { recursive: true })
  await writeFile(join(work, 'sources.list'), `${sources.join('\n')}\n`)
  const settings = [
    `Dir::State=${work}/apt`,
    `Dir::State::lists=${work}/apt/lists`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${work}/apt/cache`,
    `Dir::Etc::sourcelist=${work}/sources.list`,
    'Dir::Etc::sourceparts=-',
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
  ]
  const options = settings.flatMap(setting => ['-o', setting])
  await runCommand('apt-get', [...options, 'update'], { signal })
  return options
}

const securityOf = (mirror: string): string => mirror.replace(/\/debian\/?$/, '/debian-security')

/** The Debian mirror that this machine is set up to use. */
async function machineMirror(signal: AbortSignal): Promise<{ codename: string; mirror: string }> {
  const format = ['indextargets', '--format', '$(REPO_URI) $(CODENAME) $(RELEASE)', 'Created-By: Packages']
  const { stdout } = await runCommand('apt-get', format, { signal })
  for (const line of stdout.split('\n')) {
    const [mirror = '', codename = '', release = ''] = line.split(' ')
    const name = codename.startsWith('$') || codename === '' ? release : codename
    if (/\/debian\/?$/.test(mirror) && /^[a-z]+$/.test(name)) return { codename: name, mirror }
  }
  throw new Error('apt on this machine has no Debian mirror')
}
