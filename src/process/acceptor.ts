/** Accepts clients and hands each socket to the worker with the fewest of them. */
import net from 'node:net'
import { ShardwayError } from '../errors/shardway-error.ts'

/** Past the limit the console may still enter; past this many more nobody does. */
const CONSOLE_RESERVE = 100
const KEEPALIVE_DELAY_MS = 60_000

export interface AcceptorOptions {
  readonly host: string
  readonly port: number
  /** Other processes may listen on the same address. */
  readonly reusePort: boolean
  readonly maxClients: () => number
  /** Serials of workers that can take clients now. */
  readonly workers: () => readonly number[]
  readonly hand: (worker: number, id: number, over: boolean, socket: net.Socket) => void
  readonly failed: (error: Error) => void
}

export class Acceptor {
  readonly #options: AcceptorOptions
  readonly #server: net.Server
  /** Worker → ids of its clients. */
  readonly #clients = new Map<number, Set<number>>()
  /** Accepted while no worker could take them: the first second of a start. */
  readonly #waiting = new Set<net.Socket>()
  #count = 0
  #nextId = 1
  #draining = false
  #refused = 0

  constructor(options: AcceptorOptions) {
    this.#options = options
    this.#server = net.createServer(
      { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_DELAY_MS },
      socket => this.#accept(socket),
    )
  }

  listen(): Promise<void> {
    const { host, port, reusePort } = this.#options
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(error, 'listen', host, port))
      this.#server.once('error', failed)
      this.#server.listen({ host, port, backlog: 4096, ...(reusePort ? { reusePort } : {}) }, () => {
        this.#server.off('error', failed)
        // EMFILE and its like: this client is lost, the next one may not be.
        this.#server.on('error', this.#options.failed)
        resolve()
      })
    })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.#options.port
  }

  get clients(): number {
    return this.#count
  }

  get refused(): number {
    return this.#refused
  }

  clientsOf(worker: number): number {
    return this.#clients.get(worker)?.size ?? 0
  }

  /** Which worker has this client; -1 when none. */
  workerOf(id: number): number {
    for (const [worker, ids] of this.#clients) if (ids.has(id)) return worker
    return -1
  }

  /** From here on only the console may enter. */
  drain(): void {
    this.#draining = true
  }

  workerReady(): void {
    for (const socket of this.#waiting) {
      this.#waiting.delete(socket)
      socket.removeAllListeners()
      this.#place(socket)
    }
  }

  clientClosed(worker: number, id: number): void {
    if (this.#clients.get(worker)?.delete(id) === true) this.#count--
  }

  /** Its clients are gone with it. */
  workerGone(worker: number): void {
    this.#count -= this.clientsOf(worker)
    this.#clients.delete(worker)
  }

  /** Those who are here stay. */
  leave(): void {
    this.#server.close()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#waiting) socket.destroy()
    this.#waiting.clear()
  }

  #accept(socket: net.Socket): void {
    socket.on('error', () => undefined)
    if (this.#count + this.#waiting.size >= this.#options.maxClients() + CONSOLE_RESERVE) {
      this.#refused++
      socket.destroy()
      return
    }
    this.#place(socket)
  }

  #place(socket: net.Socket): void {
    let least = -1
    for (const worker of this.#options.workers()) {
      if (least < 0 || this.clientsOf(worker) < this.clientsOf(least)) least = worker
    }
    if (least < 0) {
      this.#waiting.add(socket)
      socket.on('close', () => this.#waiting.delete(socket))
      return
    }
    const id = this.#nextId++
    const over = this.#draining || this.#count >= this.#options.maxClients()
    let ids = this.#clients.get(least)
    if (ids === undefined) {
      ids = new Set()
      this.#clients.set(least, ids)
    }
    ids.add(id)
    this.#count++
    this.#options.hand(least, id, over, socket)
  }
}

/** One line that names the address, for the two servers of the control process. */
export function listenError(error: NodeJS.ErrnoException, section: string, host: string, port: number): ShardwayError {
  const why =
    error.code === 'EADDRINUSE'
      ? 'it is in use by another process'
      : error.code === 'EADDRNOTAVAIL'
        ? 'this machine has no such address'
        : error.code === 'EACCES'
          ? 'this user may not'
          : error.message
  return new ShardwayError('cannot_listen', '55006', `cannot listen on ${host}:${port} ([${section}]): ${why}`, {
    hint: `Stop the other process, or choose another ${section}.port.`,
    cause: error,
  })
}
