/**
 * Who may open a server connection, where several pools share a limit: max_db_connections, max_user_connections (both on
 * one node) and the reserve of a pool, over all workers. Waiting users are served in turn; one that holds more than
 * another that waits is asked to yield. No I/O and no clock: an event in, messages out. docs/internals/pools.md
 */
import type { ConnectionLimits } from '../config/pool-settings.ts'
import type { PoolPlace } from './messages.ts'

export interface Claim extends PoolPlace {
  /** Serial of the worker. */
  readonly worker: number
  readonly reserve: boolean
}

export type PermitMessage =
  | { readonly type: 'permit'; readonly worker: number; readonly pool: string; readonly reserve: boolean }
  /** `onlyIdle`: nothing happens when no connection is idle; else the next one that comes back is closed. */
  | { readonly type: 'yield'; readonly worker: number; readonly pool: string; readonly onlyIdle: boolean }

export interface PermitLimits extends Pick<ConnectionLimits, 'databaseServers' | 'userServers'> {
  readonly reserve: number
}

/** What one pool of one worker has. */
interface Holding {
  readonly claim: Claim
  count: number
  reserve: number
  /** Connections that it was told to close. */
  yielding: number
  /** When it was asked last for an idle one: the longest ago is asked first. */
  askedAt: number
}

type Part = Pick<Claim, 'database' | 'user' | 'address'>
type Test = (part: Part) => boolean

interface Limit {
  readonly limit: number
  readonly covers: Test
}

export class Permits {
  readonly #limitsOf: (database: string, user: string) => PermitLimits
  readonly #holdings = new Map<string, Holding>()
  #waiting: Claim[] = []
  /** When each user was served last. */
  readonly #servedAt = new Map<string, number>()
  #turn = 0

  constructor(limitsOf: (database: string, user: string) => PermitLimits) {
    this.#limitsOf = limitsOf
  }

  get waiting(): number {
    return this.#waiting.length
  }

  want(claim: Claim): PermitMessage[] {
    this.#waiting.push(claim)
    const granted = this.#serve()
    return this.#waiting.includes(claim) ? [...granted, ...this.#press(claim)] : granted
  }

  /** A connection was closed, or not opened after all. */
  back(claim: Claim): PermitMessage[] {
    const holding = this.#holdings.get(keyOf(claim))
    if (holding === undefined) return []
    if (claim.reserve) holding.reserve = Math.max(0, holding.reserve - 1)
    holding.count--
    holding.yielding = Math.max(0, holding.yielding - 1)
    if (holding.count <= 0) this.#holdings.delete(keyOf(claim))
    return this.#serve()
  }

  workerGone(worker: number): PermitMessage[] {
    this.#waiting = this.#waiting.filter(one => one.worker !== worker)
    for (const [key, holding] of this.#holdings) if (holding.claim.worker === worker) this.#holdings.delete(key)
    return this.#serve()
  }

  /** Now and then while someone waits: what was busy may be idle now, and limits may have been raised. */
  pressAll(): PermitMessage[] {
    return [...this.#serve(), ...this.#waiting.flatMap(claim => this.#press(claim))]
  }

  #serve(): PermitMessage[] {
    const messages: PermitMessage[] = []
    for (;;) {
      const claim = this.#next()
      if (claim === null) return messages
      this.#waiting.splice(this.#waiting.indexOf(claim), 1)
      this.#servedAt.set(claim.user, ++this.#turn)
      const holding = this.#holdings.get(keyOf(claim)) ?? { claim, count: 0, reserve: 0, yielding: 0, askedAt: 0 }
      holding.count++
      if (claim.reserve) holding.reserve++
      this.#holdings.set(keyOf(claim), holding)
      messages.push({ type: 'permit', worker: claim.worker, pool: claim.pool, reserve: claim.reserve })
    }
  }

  /** The oldest claim that fits, of the user that was served the longest ago. */
  #next(): Claim | null {
    let next: Claim | null = null
    let servedAt = Number.POSITIVE_INFINITY
    for (const claim of this.#waiting) {
      const at = this.#servedAt.get(claim.user) ?? 0
      if (at < servedAt && this.#blocks(claim).length === 0) {
        next = claim
        servedAt = at
      }
    }
    return next
  }

  /** The limits that the claim would exceed. */
  #blocks(claim: Claim): Limit[] {
    const limits = this.#limitsOf(claim.database, claim.user)
    const { address, database, user, pool } = claim
    const shared: Limit[] = [
      { limit: limits.databaseServers, covers: one => one.address === address && one.database === database },
      { limit: limits.userServers, covers: one => one.address === address && one.user === user },
    ]
    const blocks = shared.filter(one => one.limit > 0 && this.#held(one.covers) >= one.limit)
    if (claim.reserve) {
      let reserve = 0
      for (const one of this.#holdings.values()) if (one.claim.pool === pool) reserve += one.reserve
      if (reserve >= limits.reserve) blocks.push({ limit: limits.reserve, covers: () => false })
    }
    return blocks
  }

  #held(covers: Test): number {
    let held = 0
    for (const one of this.#holdings.values()) if (covers(one.claim)) held += one.count
    return held
  }

  #press(claim: Claim): PermitMessage[] {
    const messages: PermitMessage[] = []
    for (const { covers } of this.#blocks(claim)) {
      const covered = [...this.#holdings.values()].filter(one => covers(one.claim))
      const underWay = covered.reduce((sum, one) => sum + one.yielding, 0)
      const ahead = this.#waiting.filter(one => covers(one)).indexOf(claim)
      const holdings = covered.filter(one => one.count > one.yielding)
      const victim = underWay > ahead ? null : this.#victim(claim, holdings)
      if (victim !== null) {
        victim.yielding++
        messages.push({ type: 'yield', worker: victim.claim.worker, pool: victim.claim.pool, onlyIdle: false })
        continue
      }
      // Also while another was told: that one may be busy for long, and this one idle. Who was told has given what is idle.
      const mine = keyOf(claim)
      const others = covered.filter(one => one.yielding === 0 && keyOf(one.claim) !== mine)
      const [asked] = others.toSorted((one, other) => one.askedAt - other.askedAt)
      if (asked === undefined) continue
      asked.askedAt = ++this.#turn
      messages.push({ type: 'yield', worker: asked.claim.worker, pool: asked.claim.pool, onlyIdle: true })
    }
    return messages
  }

  /** Who must close one for the claim's sake: another user that has more, else another worker or pool of the same user. */
  #victim(claim: Claim, holdings: readonly Holding[]): Holding | null {
    const byUser = new Map<string, number>()
    for (const one of holdings) byUser.set(one.claim.user, (byUser.get(one.claim.user) ?? 0) + one.count - one.yielding)
    const mine = byUser.get(claim.user) ?? 0
    const most = [...byUser].filter(([user]) => user !== claim.user).toSorted((a, b) => b[1] - a[1])[0]
    if (most !== undefined && mayTake(most[1], mine)) return largest(holdings, one => one.claim.user === most[0])
    const own = holdings.find(one => keyOf(one.claim) === keyOf(claim))
    const other = largest(holdings, one => one.claim.user === claim.user && one !== own)
    const has = own === undefined ? 0 : own.count - own.yielding
    return other !== null && mayTake(other.count - other.yielding, has) ? other : null
  }
}

/** It brings the two nearer to each other; or the one that waits has nothing at all, and they take turns. */
function mayTake(from: number, to: number): boolean {
  return from > 0 && (to === 0 || from - to >= 2)
}

function largest(holdings: readonly Holding[], of: (one: Holding) => boolean): Holding | null {
  let found: Holding | null = null
  for (const one of holdings) {
    if (of(one) && (found === null || one.count - one.yielding > found.count - found.yielding)) found = one
  }
  return found
}

function keyOf(claim: Claim): string {
  return `${claim.worker} ${claim.pool}`
}
