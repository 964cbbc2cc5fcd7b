/**
 * One proxy holds a state file. Who starts on the same file while it lives is refused, or with [listen] reuse_port takes over:
 * the holder yields, the successor listens, the holder leaves. docs/internals/handover.md
 */
import net from 'node:net'
import { ShardwayError } from '../../errors/shardway-error.ts'
import { Place } from './places.ts'
import { Predecessor } from './predecessor.ts'
import { listen, say } from './wire.ts'

export interface HolderOptions {
  readonly statePath: string
  readonly reusePort: boolean
  /** Resolves when no replica is trusted and nothing is written any more. */
  readonly yieldTo: (pid: number) => Promise<void>
  /** The successor is gone before it served: all is as before. */
  readonly resume: () => void
  /** The successor serves: listen no more, let the clients finish. */
  readonly leave: () => void
  readonly cancel: (pid: number, secret: string) => void
}

export class Holder {
  readonly #options: HolderOptions
  readonly #place: Place
  readonly #server: net.Server
  readonly #visitors = new Set<net.Socket>()
  #successor: net.Socket | null = null
  /** While it lives nobody may take over: two of them could not hear of each other's writes. */
  #predecessor: Predecessor | null = null
  #left = false
  /** One after the other: a successor may be gone before the state is left to it. */
  #yielding: Promise<void> = Promise.resolve()

  constructor(options: HolderOptions) {
    this.#options = options
    this.#place = new Place(options.statePath)
    this.#server = net.createServer(socket => this.#visit(socket))
  }

  /** Null: the file is held by this process now. @throws ShardwayError when another holds it and cannot be succeeded. */
  async open(): Promise<Predecessor | null> {
    await this.#listen()
    if (this.#place.claim()) return null
    const socket = await this.#place.connect()
    if (socket === null) {
      this.#place.clear()
      return null
    }
    this.#predecessor = await Predecessor.meet(socket)
    const { pid } = this.#predecessor
    void this.#predecessor.ended.then(() => {
      this.#predecessor = null
    })
    if (this.#options.reusePort) return this.#predecessor
    this.#predecessor.close()
    throw new ShardwayError(
      'state_in_use',
      '55006',
      `another Shardway, process ${pid}, uses ${this.#options.statePath}`,
      {
        hint: 'Stop it first; or set listen.reuse_port = true for both, and this one takes over from it.',
      },
    )
  }

  /** The predecessor has left: who starts next finds this process. */
  hold(): void {
    this.#place.take()
  }

  close(): void {
    this.#place.release()
    this.#predecessor?.close()
    for (const socket of this.#visitors) socket.destroy()
    this.#server.close()
  }

  /** For this user only: whoever connects could end the proxy. */
  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      const mask = process.umask(0o177)
      this.#server.listen(this.#place.socket, () => {
        this.#server.off('error', reject)
        // One connection that could not be accepted.
        this.#server.on('error', () => undefined)
        resolve()
      })
      process.umask(mask)
    })
  }

  #visit(socket: net.Socket): void {
    this.#visitors.add(socket)
    socket.on('close', () => {
      this.#visitors.delete(socket)
      if (this.#successor === socket) this.#successorGone()
    })
    listen(socket, message => {
      if (message.type === 'take') void this.#take(socket, message.pid)
      else if (socket !== this.#successor) socket.destroy()
      else if (message.type === 'serving') this.#leave(socket)
      else if (message.type === 'cancel') this.#options.cancel(message.pid, message.secret)
    })
    say(socket, { type: 'holder', pid: process.pid })
  }

  async #take(socket: net.Socket, pid: number): Promise<void> {
    const reason = this.#refusal()
    if (reason !== null) return say(socket, { type: 'refused', reason })
    this.#successor = socket
    this.#yielding = this.#yielding.then(() => this.#options.yieldTo(pid)).catch(() => void socket.destroy())
    await this.#yielding
    if (this.#successor === socket) say(socket, { type: 'yielded' })
  }

  #refusal(): string | null {
    if (!this.#options.reusePort) return `process ${process.pid} runs without listen.reuse_port`
    if (this.#successor !== null) return 'another process takes over at this moment'
    const before = this.#predecessor
    return before === null ? null : `process ${before.pid}, from which it has taken over itself, still has clients`
  }

  #leave(socket: net.Socket): void {
    this.#left = true
    this.#options.leave()
    say(socket, { type: 'left' })
  }

  #successorGone(): void {
    this.#successor = null
    if (this.#left) return void this.#reclaim().catch(() => undefined)
    // Not while it is still about to yield; and not when the next one has come meanwhile.
    void this.#yielding.then(() => {
      if (this.#successor === null && !this.#left) this.#options.resume()
    })
  }

  /** Who starts next must hear of the clients that are still here. */
  async #reclaim(): Promise<void> {
    const socket = await this.#place.connect()
    if (socket === null) this.#place.take()
    else socket.destroy()
  }
}
