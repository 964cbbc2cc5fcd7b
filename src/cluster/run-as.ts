/** Postgres refuses to run as root: who runs it instead, and which folders that user can enter. */
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'

export interface RunAs {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const EXECUTE = 1

/** `postgres` or `nobody` for root, null (oneself) for anyone else. */
export function runAsUser(): RunAs | null {
  if (process.getuid?.() !== 0) return null
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const account = accounts.find(fields => fields[0] === name)
    if (account !== undefined) return { name, uid: Number(account[2]), gid: Number(account[3]) }
  }
  throw new Error('Postgres does not run as root, and this machine has neither a user "postgres" nor "nobody"')
}

/** The first folder on the way to `path` that the user cannot enter; undefined when none. A missing tail is no obstacle. */
export function closedFolder(path: string, user: RunAs | null): string | undefined {
  if (user === null) return undefined
  const folders: string[] = []
  let existing = resolve(path)
  while (statSync(existing, { throwIfNoEntry: false }) === undefined) existing = dirname(existing)
  for (let folder = realpathSync(existing); ; folder = dirname(folder)) {
    folders.unshift(folder)
    if (folder === dirname(folder)) break
  }
  return folders.find(folder => {
    const { mode, uid, gid } = statSync(folder)
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
    return ((mode >> shift) & EXECUTE) === 0
  })
}

/** Makes a folder of the server's user that nobody else (but root) can enter. */
export function makePrivateFolder(path: string, user: RunAs | null): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (user !== null) chownSync(path, user.uid, user.gid)
  chmodSync(path, 0o700)
}

/** A new folder for one cluster, short enough for socket paths. */
export function makeTemporaryFolder(prefix: string, user: RunAs | null): string {
  const folder = mkdtempSync(join(temporaryBase(user), prefix))
  makePrivateFolder(folder, user)
  return folder
}

/** A temporary folder that the server's user can enter: TMPDIR may lie in root's home. */
export function temporaryBase(user: RunAs | null): string {
  const base = [tmpdir(), '/tmp', '/var/tmp'].find(folder => {
    return statSync(folder, { throwIfNoEntry: false }) !== undefined && closedFolder(folder, user) === undefined
  })
  if (base === undefined) throw new Error(`user ${user?.name ?? ''} can enter no temporary folder of this machine`)
  return base
}

/**
 * Where copies of binaries and the initialised template are kept between runs. The name is predictable, so a folder
 * that somebody else made there is not trusted: a fresh one is used then, and nothing is kept.
 */
export function cacheFolder(user: RunAs | null): string {
  const own = process.getuid?.() ?? 0
  const folder = join(temporaryBase(user), `shardway-cache-${own}`)
  try {
    mkdirSync(folder, { mode: 0o711 })
    chmodSync(folder, 0o711)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const { uid, mode } = lstatSync(folder)
  if (lstatSync(folder).isDirectory() && uid === own && (mode & 0o022) === 0) return folder
  const fresh = mkdtempSync(`${folder}-`)
  chmodSync(fresh, 0o711)
  return fresh
}
