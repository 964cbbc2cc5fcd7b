/**
 * One connection to a shard's primary that listens for all clients of a worker: LISTEN there, notifications back. Outside the
 * pools: it is never lent, and it lasts as long as someone listens.
 */
import { ShardwayError } from '../src/errors/shardway-error.ts'
import { type Login, openServer } from './connect.ts'
import { internalQuery } from './internal-query.ts'
import type { Owner } from './owner.ts'
import { ServerConnection } from './server-connection.ts'

/** Where logins have no time limit, answers have this one. */
const ANSWER_LIMIT_MS = 15_000

export interface ListenerOptions {
  readonly login: Login
  readonly connectTimeoutMs: number
  /** A whole NotificationResponse. */
  readonly onNotification: (channel: string, frame: Buffer) => void
  /** What was notified from now on is not heard. */
  readonly onLost: (error: ShardwayError) => void
}

export class Listener implements Owner {
  readonly #options: ListenerOptions
  #server: ServerConnection | null = null
  #closed = false

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Rejects with ShardwayError 08006, also when the node is not a primary. */
  async open(): Promise<void> {
    const { socket, identity } = await openServer(this.#options.login, this.#options.connectTimeoutMs)
    const server = new ServerConnection(socket, identity, () => this.#lost())
    server.owner = this
    this.#server = server
    if (this.#closed) return this.close()
    const standby = await this.#ask('SELECT pg_catalog.pg_is_in_recovery()')
    if (standby === 'f') return
    this.close()
    throw new ShardwayError('role_changed', '57P03', 'the node is not a primary now')
  }

  /** Resolves when the server listens. */
  async listen(channel: string): Promise<void> {
    await this.#ask(`LISTEN ${quoteName(channel)}`)
  }

  async unlisten(channel: string): Promise<void> {
    await this.#ask(`UNLISTEN ${quoteName(channel)}`)
  }

  close(): void {
    this.#closed = true
    const server = this.#server
    if (server === null) return
    if (server.clean) server.end()
    else server.destroy('no longer needed')
  }

  #ask(sql: string): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const server = this.#server
      if (server === null || server.closed)
        return reject(new ShardwayError('server_lost', '08006', 'the listener is gone'))
      const limitMs = this.#options.connectTimeoutMs || ANSWER_LIMIT_MS
      const timer = setTimeout(() => server.destroy(`no answer for ${limitMs} ms`), limitMs)
      internalQuery(server, sql, (error, rows) => {
        clearTimeout(timer)
        if (error === null) resolve(rows[0]?.[0] ?? null)
        else reject(error)
      })
    })
  }

  #lost(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.onLost(new ShardwayError('server_lost', '08006', 'the connection that listens was lost'))
  }

  onServerBytes(_server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const nameEnd = buffer.indexOf(0, start + 9)
    if (nameEnd < 0 || nameEnd >= end) return
    // The chunk is the socket's; who gets the frame may have to keep it.
    this.#options.onNotification(buffer.toString('utf8', start + 9, nameEnd), Buffer.from(buffer.subarray(start, end)))
  }

  onServerError(): boolean {
    return false
  }

  onCommandComplete(): boolean {
    return false
  }

  beforeReady(): boolean {
    return false
  }

  onLocalBytes(): void {}
  onNotice(): void {}
  onFirstRow(): void {}
  onParameterDescription(): void {}
  onRowDescription(): void {}
  onParameterStatus(): void {}
  onCopyIn(): void {}
  onRequestDropped(): void {}
  onReady(): void {}
  onServerDrain(): void {}
  onServerLost(): void {}
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
