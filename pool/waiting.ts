/** Clients that wait for a server of one pool: first come, first served. */
import { errorOf } from '../src/errors/codes.ts'
import type { ShardwayError } from '../src/errors/shardway-error.ts'
import type { ServerConnection } from './server-connection.ts'

/** Who waits for a server. Exactly one of the first two is called, unless the wait is given up with `forget`. */
export interface Waiter {
  onServer(server: ServerConnection): void
  onServerUnavailable(error: ShardwayError): void
  /** It has waited for query_wait_notify. */
  onLongWait(): void
}

interface Waiting {
  readonly waiter: Waiter
  readonly sinceUs: number
  noticed: boolean
}

export function waitTimedOut(pool: string, limitMs: number): ShardwayError {
  return errorOf(
    'query_wait_timeout',
    {},
    { detail: `No server connection of pool ${pool} became free within ${limitMs} ms.` },
  )
}

export class WaitQueue {
  #waiting: Waiting[] = []

  get length(): number {
    return this.#waiting.length
  }

  push(waiter: Waiter, sinceUs: number): void {
    this.#waiting.push({ waiter, sinceUs, noticed: false })
  }

  shift(): Waiter | undefined {
    return this.#waiting.shift()?.waiter
  }

  forget(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter(one => one.waiter !== waiter)
  }

  /** How long the first one has waited, 0 when nobody does. */
  firstWaitUs(nowUs: number): number {
    const first = this.#waiting[0]
    return first === undefined ? 0 : nowUs - first.sinceUs
  }

  /** Takes out those who have waited for longer than this, the oldest first; 0: nobody. */
  expire(nowUs: number, timeoutMs: number): Waiter[] {
    const expired: Waiter[] = []
    const limitUs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs * 1000
    while (this.firstWaitUs(nowUs) > limitUs) {
      const first = this.shift()
      if (first !== undefined) expired.push(first)
    }
    return expired
  }

  /** Tells everybody once who has waited for longer than this; 0: nobody. */
  notice(nowUs: number, afterMs: number): void {
    if (afterMs === 0) return
    for (const one of this.#waiting) {
      // The rest came later.
      if (nowUs - one.sinceUs <= afterMs * 1000) return
      if (one.noticed) continue
      one.noticed = true
      one.waiter.onLongWait()
    }
  }

  /** Takes out everybody. */
  all(): Waiter[] {
    return this.#waiting.splice(0).map(one => one.waiter)
  }
}
