/**
 * LISTEN over several shards: a worker listens on every primary for all its clients of one user, and hands each notification to
 * those who asked for its channel. A client whose listener is lost is ended: it would wait for what nobody hears.
 */
import { Listener } from '../../pool/listener.ts'
import type { Login } from '../../pool/connect.ts'
import { ShardwayError } from '../errors/shardway-error.ts'

export interface Subscriber {
  notified(frame: Buffer): void
  listenerLost(error: ShardwayError): void
}

type Callback = (error: ShardwayError | null) => void

export class Listening {
  readonly #logins: () => readonly Login[]
  readonly #connectTimeoutMs: () => number
  readonly #subscribers = new Map<string, Set<Subscriber>>()
  #listeners: Listener[] = []
  /** One change after the other: UNLISTEN of the last client must not overtake LISTEN of the next. */
  #last: Promise<void> = Promise.resolve()

  /** `logins`: one for each shard's primary; throws 57P03 when one has none now. */
  constructor(logins: () => readonly Login[], connectTimeoutMs: () => number) {
    this.#logins = logins
    this.#connectTimeoutMs = connectTimeoutMs
  }

  /** Calls back when every primary listens to the channel. */
  subscribe(subscriber: Subscriber, channel: string, callback: Callback): void {
    const subscribers = this.#subscribers.get(channel)
    if (subscribers !== undefined) subscribers.add(subscriber)
    else this.#subscribers.set(channel, new Set([subscriber]))
    this.#next(async () => {
      await this.#open()
      if (subscribers === undefined) await Promise.all(this.#listeners.map(listener => listener.listen(channel)))
    }, callback)
  }

  unsubscribe(subscriber: Subscriber, channel: string): void {
    const subscribers = this.#subscribers.get(channel)
    if (subscribers?.delete(subscriber) !== true || subscribers.size > 0) return
    this.#subscribers.delete(channel)
    this.#next(
      async () => {
        // Someone may have come for it meanwhile: then LISTEN was, or will be, said again.
        if (this.#subscribers.size === 0) this.#close()
        else if (!this.#subscribers.has(channel)) {
          await Promise.all(this.#listeners.map(listener => listener.unlisten(channel)))
        }
      },
      () => undefined,
    )
  }

  /** The primaries are others now, or the database is gone. */
  reset(error: ShardwayError): void {
    this.#close()
    const lost = new Set([...this.#subscribers.values()].flatMap(each => [...each]))
    this.#subscribers.clear()
    for (const subscriber of lost) subscriber.listenerLost(error)
  }

  #next(change: () => Promise<void>, callback: Callback): void {
    this.#last = this.#last.then(change).then(
      () => callback(null),
      (error: unknown) => {
        const reported =
          error instanceof ShardwayError ? error : new ShardwayError('server_lost', '08006', String(error))
        callback(reported)
        // Half of the shards may listen and half not: nobody may rely on it.
        this.reset(reported)
      },
    )
  }

  async #open(): Promise<void> {
    if (this.#listeners.length > 0) return
    const opened = this.#logins().map(
      login =>
        new Listener({
          login,
          connectTimeoutMs: this.#connectTimeoutMs(),
          onNotification: (channel, frame) => {
            for (const subscriber of this.#subscribers.get(channel) ?? []) subscriber.notified(frame)
          },
          onLost: error => this.reset(error),
        }),
    )
    this.#listeners = opened
    await Promise.all(opened.map(listener => listener.open()))
    // After a reset nobody is left whose channels would have to be said again; those who came since say their own.
  }

  #close(): void {
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
  }
}
