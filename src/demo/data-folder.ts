/** Where the demo keeps its data, and that only one demo at a time uses it. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { projectRoot } from '../cluster/project-root.ts'
import { closedFolder, runAsUser, temporaryBase } from '../cluster/run-as.ts'
import { markFolder, refuseForeignFolder, sampleState } from './folder-mark.ts'

/** An explicit folder, `.shardway` in the checkout, or, where the servers' user cannot enter that, one under /var/tmp. */
export function dataFolder(explicit: string | undefined): string {
  const user = runAsUser()
  if (explicit !== undefined) {
    const folder = resolve(explicit)
    const closed = closedFolder(folder, user)
    if (closed !== undefined && user !== null) {
      throw new Error(
        `--data ${folder} cannot be used: Postgres does not run as root, user "${user.name}" runs it here, and that user ` +
          `cannot enter ${closed}. Choose another folder, or open that one (chmod o+x ${closed}).`,
      )
    }
    return folder
  }
  const own = join(projectRoot(), '.shardway')
  if (closedFolder(projectRoot(), user) === undefined) return own
  const key = createHash('sha256').update(projectRoot()).digest('hex').slice(0, 10)
  const base = existsSync('/var/tmp') && closedFolder('/var/tmp', user) === undefined ? '/var/tmp' : temporaryBase(user)
  return join(base, `shardway-${key}`)
}

/** Makes the folder, takes its lock, and gives the way to let go of it. @throws Error for a folder of somebody else's */
export function openDataFolder(folder: string): () => void {
  makeFolder(folder)
  const { uid } = lstatSync(folder)
  const own = process.getuid?.() ?? uid
  if (uid !== own) throw new Error(`${folder} belongs to another user (uid ${uid}). Choose another folder with --data.`)
  refuseForeignFolder(folder)
  chmodSync(folder, 0o711)
  const lock = join(folder, 'lock')
  const holder = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
  if (holder > 0 && holder !== process.pid && isStart(holder)) {
    throw new Error(
      `another shardway start (process ${holder}) uses ${folder}. Stop it with Ctrl-C there, or give this one a folder of ` +
        `its own with --data, and other ports with --port and --http.`,
    )
  }
  writeFileSync(lock, `${process.pid}\n`)
  markFolder(folder, sampleState(folder))
  return () => rmSync(lock, { force: true })
}

/** `--fresh`. By name: files that somebody put beside the demo's own are not its to delete. */
export function emptyDataFolder(folder: string): void {
  for (const name of ['cluster.json', 'nodes', 'proxy']) rmSync(join(folder, name), { recursive: true, force: true })
}

/** One step after the other: where a folder cannot be made (/proc), Node's own recursion never ends. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder, { mode: 0o711 })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot make ${folder}: ${why}. Choose another folder with --data.`, { cause: error })
  }
}

/** Process ids come round again: a living process of another kind is not the holder. */
function isStart(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  if (!existsSync(`/proc/${pid}/cmdline`)) return true
  return /start|demo/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
}
