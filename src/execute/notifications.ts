/** What one client listens to over several shards, and what it was notified of while it could not be told. */
import { errorOf } from '../errors/codes.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { Executor } from './executor.ts'
import type { Listening, Subscriber } from './listening.ts'

/** A client that does not take its notifications is ended at this. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024

const NOTHING: ReadonlySet<string> = new Set()

export class Notifications implements Subscriber {
  readonly #executor: Executor
  #channels: Set<string> | null = null
  #pending: Buffer[] = []
  #pendingBytes = 0

  constructor(executor: Executor) {
    this.#executor = executor
  }

  get #listening(): Listening {
    const { client } = this.#executor
    return client.database.listening(client.user)
  }

  /** Between units and outside a block: a notification may go out, as Postgres has it. */
  get #mayTell(): boolean {
    const { running, transaction, client } = this.#executor
    return running === null && transaction.state === 'none' && client.output.holding === 0
  }

  get channels(): ReadonlySet<string> {
    return this.#channels ?? NOTHING
  }

  /** Calls back when every shard is listened to. */
  listen(channel: string, callback: (error: ShardwayError | null) => void): void {
    if (this.#channels?.has(channel) === true) return callback(null)
    ;(this.#channels ??= new Set()).add(channel)
    this.#listening.subscribe(this, channel, error => {
      if (error !== null) this.#channels?.delete(channel)
      callback(error)
    })
  }

  /** Null: all channels. */
  unlisten(channel: string | null): void {
    const gone = channel === null ? [...(this.#channels ?? NOTHING)] : [channel]
    for (const one of gone) if (this.#channels?.delete(one) === true) this.#listening.unsubscribe(this, one)
  }

  notified(frame: Buffer): void {
    this.#pending.push(frame)
    this.#pendingBytes += frame.length
    this.flush()
    const { socket } = this.#executor.client.output
    if (this.#pendingBytes + socket.writableLength > MAX_PENDING_BYTES) {
      this.#executor.client.fatal(errorOf('notifications_not_taken', { bytes: MAX_PENDING_BYTES }))
    }
  }

  listenerLost(error: ShardwayError): void {
    // Who only asked to listen has the answer already.
    if (this.channels.size === 0) return
    this.#channels = null
    this.#executor.client.fatal(error)
  }

  /** Tells what has waited, when it may be told. */
  flush(): void {
    if (this.#pending.length === 0 || !this.#mayTell) return
    const pending = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    for (const frame of pending) this.#executor.client.output.frame(frame)
  }
}
