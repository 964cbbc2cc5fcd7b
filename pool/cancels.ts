/**
 * Cancel requests on their way to servers. Each takes a connection of its own, so there are limits: per pool and in all, a
 * queue behind them, and what does not fit into that is dropped, as Postgres may ignore any cancel request. Without them a
 * flood of cancels takes all the connections that the servers have.
 */
import { cancelOnServer } from './connect.ts'
import type { Pool } from './pool.ts'
import type { ServerConnection } from './server-connection.ts'

const TIMEOUT_MS = 10_000

export interface CancelLimits {
  readonly active: number
  readonly activePerPool: number
  readonly waiting: number
}

/** Of one worker. */
export const CANCEL_LIMITS: CancelLimits = { active: 50, activePerPool: 10, waiting: 1000 }

interface Request {
  readonly pool: Pool
  readonly server: ServerConnection
  /** Asked when its turn comes: what was to be cancelled may be over. */
  readonly wanted: () => boolean
}

export type Deliver = (pool: Pool, server: ServerConnection) => Promise<boolean>

export class Cancels {
  readonly #limits: CancelLimits
  readonly #deliver: Deliver
  readonly #active = new Map<Pool, number>()
  readonly #waiting = new Map<ServerConnection, Request>()
  #activeCount = 0
  dropped = 0

  constructor(limits: CancelLimits = CANCEL_LIMITS, deliver: Deliver = deliverTo) {
    this.#limits = limits
    this.#deliver = deliver
  }

  get active(): number {
    return this.#activeCount
  }

  activeIn(pool: Pool): number {
    return this.#active.get(pool) ?? 0
  }

  waitingIn(pool: Pool): number {
    let count = 0
    for (const request of this.#waiting.values()) if (request.pool === pool) count++
    return count
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** A second request for the same server, before the first had its turn, takes its place. */
  request(pool: Pool, server: ServerConnection, wanted: () => boolean): void {
    if (!this.#waiting.has(server) && this.#waiting.size >= this.#limits.waiting) {
      this.dropped++
      return
    }
    this.#waiting.set(server, { pool, server, wanted })
    this.#next()
  }

  #next(): void {
    if (this.#activeCount >= this.#limits.active) return
    for (const request of this.#waiting.values()) {
      // Two at once to one server could end in any order, and both would hit what runs by then.
      if (request.server.state.cancels > 0) continue
      if ((this.#active.get(request.pool) ?? 0) >= this.#limits.activePerPool) continue
      this.#waiting.delete(request.server)
      if (request.wanted()) void this.#start(request)
      if (this.#activeCount >= this.#limits.active) return
    }
  }

  async #start({ pool, server }: Request): Promise<void> {
    this.#activeCount++
    this.#active.set(pool, (this.#active.get(pool) ?? 0) + 1)
    pool.cancelStarted(server)
    try {
      if (!(await this.#deliver(pool, server))) server.destroy('a cancel request may still arrive')
    } finally {
      this.#activeCount--
      const left = (this.#active.get(pool) ?? 1) - 1
      if (left === 0) this.#active.delete(pool)
      else this.#active.set(pool, left)
      pool.cancelEnded(server)
      this.#next()
    }
  }
}

function deliverTo(pool: Pool, server: ServerConnection): Promise<boolean> {
  return cancelOnServer(pool.options.login, server.identity.pid, server.identity.secret, TIMEOUT_MS)
}
