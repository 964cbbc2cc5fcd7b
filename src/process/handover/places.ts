/** Where the proxy that holds a state file is found: a link beside the file, to the socket of its process. */
import { randomBytes } from 'node:crypto'
import { readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import net from 'node:net'
import { basename, dirname, join, relative } from 'node:path'
import { ShardwayError } from '../../errors/shardway-error.ts'

/** Room for a path in sockaddr_un, without its end. */
const MAX_SOCKET_PATH = 107

export class Place {
  /** Leads to the holder's socket. */
  readonly link: string
  /** This process's own. */
  readonly socket: string

  constructor(statePath: string) {
    const near = relative(process.cwd(), statePath)
    const path = near.length < statePath.length ? near : statePath
    this.link = `${path}.sock`
    // Not by its process id: in containers all of them are 1.
    this.socket = `${path}.${randomBytes(4).toString('hex')}.sock`
    if (Buffer.byteLength(this.socket) <= MAX_SOCKET_PATH) return
    throw new ShardwayError('state_path_long', '22023', `state.path is too long for a socket beside it: ${statePath}`, {
      hint: `Choose a path of at most ${MAX_SOCKET_PATH - 14} bytes.`,
    })
  }

  /** A connection to the holder; null when nobody lives there. */
  connect(): Promise<net.Socket | null> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.link)
      socket.once('connect', () => resolve(socket))
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(null)
        else reject(error)
      })
    })
  }

  /** Makes the link ours where there is none. */
  claim(): boolean {
    try {
      symlinkSync(basename(this.socket), this.link)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  }

  /** Makes the link ours, whoever had it; never is there none in between. */
  take(): void {
    const mine = `${this.socket}.link`
    rmSync(mine, { force: true })
    symlinkSync(basename(this.socket), mine)
    renameSync(mine, this.link)
  }

  /** Makes the link ours after a process that died without a word. */
  clear(): void {
    try {
      rmSync(join(dirname(this.link), readlinkSync(this.link)), { force: true })
    } catch {
      // It is gone already.
    }
    this.take()
  }

  /** Nobody holds the file any more, unless somebody else does by now. */
  release(): void {
    try {
      if (readlinkSync(this.link) === basename(this.socket)) rmSync(this.link, { force: true })
    } catch {
      // It is gone.
    }
    rmSync(this.socket, { force: true })
  }
}
