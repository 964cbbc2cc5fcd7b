/**
 * How the server connections of one pool are divided over the workers. Each begins with an equal part, at least one; a worker
 * with waiters gets one from the worker that has most. Pure: one event in, the next state and the messages to send out.
 */

/** Size of a worker's part at the start: floor, the remainder to the first ones, never below one. */
export function initialShare(total: number, workers: number, index: number): number {
  const base = Math.floor(total / workers)
  return Math.max(1, base + (index < total % workers ? 1 : 0))
}

export interface PoolShares {
  readonly total: number
  /** By worker index; all workers, whether they use the pool or not. */
  readonly held: readonly number[]
  /** Workers that want one more, in order; the first is being served. */
  readonly wanting: readonly number[]
  /** Whom we asked for the first one's sake; the last of them has not answered. */
  readonly asked: readonly number[]
}

export type ShareMessage =
  | { readonly to: number; readonly type: 'share'; readonly size: number }
  | { readonly to: number; readonly type: 'lend' }

export interface ShareStep {
  readonly shares: PoolShares
  readonly messages: readonly ShareMessage[]
}

export function newShares(total: number, workers: number): PoolShares {
  const held = Array.from({ length: workers }, (_, index) => initialShare(total, workers, index))
  return { total, held, wanting: [], asked: [] }
}

function free(shares: PoolShares): number {
  return shares.total - shares.held.reduce((sum, size) => sum + size, 0)
}

function withHeld(shares: PoolShares, worker: number, size: number): PoolShares {
  return { ...shares, held: shares.held.map((held, index) => (index === worker ? size : held)) }
}

/** Serves the first one that wants: from what nobody holds, else by asking the largest holder not asked yet. */
function serve(shares: PoolShares, messages: ShareMessage[]): ShareStep {
  const first = shares.wanting[0]
  if (first === undefined) return { shares: { ...shares, asked: [] }, messages }
  if (free(shares) > 0) {
    const size = (shares.held[first] ?? 0) + 1
    const served = { ...withHeld(shares, first, size), wanting: shares.wanting.slice(1), asked: [] }
    return serve(served, [...messages, { to: first, type: 'share', size }])
  }
  let largest = -1
  shares.held.forEach((size, index) => {
    if (size <= 1 || index === first || shares.asked.includes(index)) return
    if (largest < 0 || size > (shares.held[largest] ?? 0)) largest = index
  })
  // Nobody has one to spare: it asks again while it still has waiters.
  if (largest < 0) return serve({ ...shares, wanting: shares.wanting.slice(1), asked: [] }, messages)
  return {
    shares: { ...shares, asked: [...shares.asked, largest] },
    messages: [...messages, { to: largest, type: 'lend' }],
  }
}

export function wantShare(shares: PoolShares, worker: number): ShareStep {
  if (shares.wanting.includes(worker)) return { shares, messages: [] }
  const next = { ...shares, wanting: [...shares.wanting, worker] }
  return shares.wanting.length > 0 ? { shares: next, messages: [] } : serve(next, [])
}

/** `size`: what the worker has after the request, the same as before when it could spare none. */
export function returnedShare(shares: PoolShares, worker: number, size: number): ShareStep {
  const next = withHeld(shares, worker, Math.max(1, Math.min(size, shares.held[worker] ?? size)))
  return shares.asked.at(-1) === worker ? serve(next, []) : { shares: next, messages: [] }
}

/** A new process in the worker's place: it begins with its equal part, or with what the others left of it. */
export function workerReplaced(shares: PoolShares, worker: number): ShareStep {
  const others = shares.held.reduce((sum, size, index) => (index === worker ? sum : sum + size), 0)
  const equal = initialShare(shares.total, shares.held.length, worker)
  const size = Math.max(1, Math.min(equal, shares.total - others))
  const next = { ...withHeld(shares, worker, size), wanting: shares.wanting.filter(one => one !== worker) }
  const messages: ShareMessage[] = [{ to: worker, type: 'share', size }]
  const wasAsked = shares.asked.at(-1) === worker || shares.wanting[0] === worker
  return wasAsked ? serve({ ...next, asked: [] }, messages) : { shares: next, messages }
}

/** Another total after a reload: everybody begins anew. */
export function resized(shares: PoolShares, total: number): ShareStep {
  const next = newShares(total, shares.held.length)
  return { shares: next, messages: next.held.map((size, to) => ({ to, type: 'share', size })) }
}
