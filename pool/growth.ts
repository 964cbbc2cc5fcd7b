/** How many connections a pool should open now. Pure; docs/internals/pools.md has the states. */

/** Connections under way at once: more only queue up in the server's own postmaster. */
export const MAX_CONNECTING = 8

export interface PoolCounts {
  /** The worker's share of the pool. */
  readonly size: number
  readonly minSize: number
  readonly servers: number
  /** Under way: permits asked for, and logins. */
  readonly opening: number
  /** Being checked, or reset: one of these will serve a waiter. */
  readonly returning: number
  readonly waiting: number
}

/** Connections to ask for within the worker's share. */
export function growBy(pool: PoolCounts): number {
  const room = pool.size - pool.servers - pool.opening
  const forWaiters = pool.waiting - pool.opening - pool.returning
  const forMinimum = pool.minSize - pool.servers - pool.opening
  return Math.max(0, Math.min(room, Math.max(forWaiters, forMinimum), MAX_CONNECTING - pool.opening))
}

/** Someone waits whom the share cannot serve: another worker may have one to lend. */
export function wantsShare(pool: PoolCounts): boolean {
  return pool.waiting > pool.opening && pool.servers + pool.opening >= pool.size
}

export interface ReserveCounts extends PoolCounts {
  /** reserve_pool_size, over all workers: who has how many is the control process's to know. */
  readonly reserveSize: number
  readonly reserveAfterMs: number
  readonly reserveAsked: number
  readonly firstWaitUs: number
}

/** The first client has waited for so long that a connection of the reserve is asked for. */
export function wantsReserve(pool: ReserveCounts): boolean {
  if (pool.reserveSize === 0 || pool.reserveAsked > 0) return false
  return wantsShare(pool) && pool.firstWaitUs > pool.reserveAfterMs * 1000
}
