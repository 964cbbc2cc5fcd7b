/** One connection to a Postgres server after login: its socket, the queue of what it was asked, its state. */
import type { Socket } from 'node:net'
import { ShardwayError } from '../src/errors/shardway-error.ts'
import * as code from '../src/protocol/codes.ts'
import { AnswerScanner } from './answer-scanner.ts'
import type { OidPatch } from './oid-patch.ts'
import type { Owner } from './owner.ts'
import { KIND_FUNCTION, KIND_LOCAL, KIND_MASK, KIND_QUERY, KIND_SYNC, RequestQueue } from './request-queue.ts'
import { ServerState } from './server-state.ts'

const FLUSH_BYTES = 64 * 1024
export interface ServerIdentity {
  readonly pid: number
  readonly secret: Buffer
  readonly parameters: Map<string, string>
}

/** Data of a KIND_LOCAL entry. */
export interface LocalAnswer {
  readonly frame: Buffer
  readonly undo: unknown
}

let lastId = 0

export class ServerConnection {
  readonly id = ++lastId
  readonly socket: Socket
  readonly identity: ServerIdentity
  readonly state = new ServerState()
  /** Who holds the connection between requests; null while it is idle in its pool. */
  owner: Owner | null = null
  /** Transaction status of the last ReadyForQuery. */
  status: number = code.IDLE
  bytesReceived = 0
  closed = false
  patch: OidPatch | null = null
  readonly #queue = new RequestQueue()
  readonly #onClosed: (server: ServerConnection) => void
  readonly #flush = () => this.flush()
  #out: Buffer[] = []
  #outBytes = 0
  #flushScheduled = false
  /** Bytes still to come of a message of which the head was sent. */
  #partial = 0
  /** What is to be sent behind that message. */
  #behind: Buffer[] = []
  /**
   * Extended messages were sent and no Sync yet. With Flush all of them may be answered: the queue is empty and the status
   * still that of the last ReadyForQuery, while the server is inside a transaction that the next Sync would commit.
   */
  #inBatch = false
  readonly #scanner: AnswerScanner

  constructor(socket: Socket, identity: ServerIdentity, onClosed: (server: ServerConnection) => void) {
    this.socket = socket
    this.identity = identity
    this.#onClosed = onClosed
    this.#scanner = new AnswerScanner(this, this.#queue)
    socket.on('data', chunk => {
      this.bytesReceived += chunk.length
      try {
        this.#scanner.push(chunk)
      } catch (error) {
        // Whatever one server says, it must not cost the other servers' clients their process.
        this.destroy(`its answer could not be read: ${String(error)}`)
      }
    })
    socket.on('drain', () => this.owner?.onServerDrain(this))
    socket.on('error', () => undefined) // 'close' follows, with all there is to do
    socket.on('close', () => this.#lost('server closed the connection'))
  }

  get outstanding(): number {
    return this.#queue.size
  }

  /** A row has been handed over in part: nothing else may be said to its owner before the rest came. */
  get midRow(): boolean {
    return this.#scanner.midRow
  }

  get needsDrain(): boolean {
    return this.#outBytes + this.socket.writableLength > 1024 * 1024
  }

  /** Nothing is due, no transaction is open, and no batch waits for its Sync: anyone may have the connection next. */
  get clean(): boolean {
    return this.#queue.size === 0 && !this.#inBatch && this.status === code.IDLE && this.#partial === 0
  }

  /** Bytes still to come, by `sendPart`, of a message of which the head was sent. */
  get partial(): number {
    return this.#partial
  }

  /** What was sent last ended with the head of a message; so many bytes of it follow. */
  startPartial(moreBytes: number): void {
    this.#partial = moreBytes
  }

  /** The next bytes of the message under way. */
  sendPart(bytes: Buffer): void {
    this.#partial -= bytes.length
    this.#push(bytes)
    if (this.#partial > 0) return
    for (const next of this.#behind.splice(0)) this.#push(next)
  }

  /** The Sync that was sent is lost: until another is answered, the server is inside of a batch. */
  owesSync(): void {
    this.#inBatch = true
  }

  /** Announces a request; its bytes follow through `send`. */
  expect(kind: number, owner: Owner, data: unknown = null): void {
    const base = kind & KIND_MASK
    this.#inBatch = base !== KIND_SYNC && base !== KIND_QUERY && base !== KIND_FUNCTION
    this.#queue.push(kind, owner, data)
  }

  /** A frame that the owner is due after everything requested so far; `undo` is told to it when an error drops the frame. */
  local(owner: Owner, frame: Buffer, undo: unknown = null): void {
    if (this.#queue.size === 0) owner.onLocalBytes(this, frame)
    else this.#queue.push(KIND_LOCAL, owner, { frame, undo } satisfies LocalAnswer)
  }

  send(bytes: Buffer): void {
    if (this.#partial > 0) this.#behind.push(bytes)
    else this.#push(bytes)
  }

  #push(bytes: Buffer): void {
    this.#out.push(bytes)
    this.#outBytes += bytes.length
    if (this.#outBytes >= FLUSH_BYTES) this.flush()
    else if (!this.#flushScheduled) {
      this.#flushScheduled = true
      process.nextTick(this.#flush)
    }
  }

  flush(): void {
    this.#flushScheduled = false
    if (this.#outBytes === 0 || this.closed) return
    const out = this.#out
    const bytes = out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out, this.#outBytes)
    this.#out = []
    this.#outBytes = 0
    this.socket.write(bytes)
  }

  /** Ends the connection at once. Owners of outstanding requests are told. */
  destroy(reason: string): void {
    if (this.closed) return
    this.socket.destroy()
    this.#lost(reason)
  }

  /** Says goodbye; only for a connection with nothing outstanding. */
  end(): void {
    if (this.closed) return
    this.closed = true
    this.socket.end(Buffer.from([code.TERMINATE, 0, 0, 0, 4]))
    this.#onClosed(this)
  }

  #lost(reason: string): void {
    if (this.closed) return
    this.closed = true
    const error = this.#scanner.fatal ?? new ShardwayError('server_lost', '08006', reason)
    const owners = new Set<Owner>()
    if (this.owner !== null) owners.add(this.owner)
    while (this.#queue.size > 0) {
      const owner = this.#queue.owner
      if (owner !== null) owners.add(owner)
      this.#queue.shift()
    }
    this.#onClosed(this)
    for (const owner of owners) owner.onServerLost(this, error)
  }
}
