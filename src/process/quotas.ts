/**
 * max_statements_per_second (a token bucket that holds one second's worth) and max_concurrent_statements, of users and of
 * databases, over all workers. No I/O and no clock.
 */
import type { QuotaRefusal } from './messages.ts'

export interface StatementLimits {
  /** 0: no limit. */
  readonly perSecond: number
  readonly concurrent: number
}

export interface QuotaClaim {
  /** Serial of the worker. */
  readonly worker: number
  readonly user: string
  readonly database: string
}

interface Bucket {
  tokens: number
  atMs: number
}

type Kind = QuotaRefusal['kind']

export class Quotas {
  readonly #limitsOf: (kind: Kind, name: string) => StatementLimits
  readonly #buckets = new Map<string, Bucket>()
  /** Running statements, by what is limited and worker. */
  readonly #running = new Map<string, Map<number, number>>()

  constructor(limitsOf: (kind: Kind, name: string) => StatementLimits) {
    this.#limitsOf = limitsOf
  }

  /** Null: they may run. `slot`: one of max_concurrent_statements is wanted, until `done`. */
  ask(claim: QuotaClaim, statements: number, slot: boolean, nowMs: number): QuotaRefusal | null {
    const both = limited(claim)
    for (const { kind, name } of both) {
      const { perSecond, concurrent } = this.#limitsOf(kind, name)
      if (perSecond > 0 && this.#bucket(kind, name, perSecond, nowMs).tokens < Math.min(statements, perSecond)) {
        return { kind, name, limit: 'max_statements_per_second', value: perSecond }
      }
      if (slot && concurrent > 0 && this.#count(kind, name) >= concurrent) {
        return { kind, name, limit: 'max_concurrent_statements', value: concurrent }
      }
    }
    for (const { kind, name } of both) {
      const { perSecond } = this.#limitsOf(kind, name)
      if (perSecond > 0) this.#bucket(kind, name, perSecond, nowMs).tokens -= Math.min(statements, perSecond)
      if (slot) this.#add(kind, name, claim.worker, 1)
    }
    return null
  }

  done(claim: QuotaClaim): void {
    for (const { kind, name } of limited(claim)) this.#add(kind, name, claim.worker, -1)
  }

  workerGone(worker: number): void {
    for (const counts of this.#running.values()) counts.delete(worker)
  }

  #bucket(kind: Kind, name: string, perSecond: number, nowMs: number): Bucket {
    const key = `${kind} ${name}`
    const bucket = this.#buckets.get(key) ?? { tokens: perSecond, atMs: nowMs }
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000)
    bucket.atMs = nowMs
    this.#buckets.set(key, bucket)
    return bucket
  }

  #count(kind: Kind, name: string): number {
    let count = 0
    for (const one of this.#running.get(`${kind} ${name}`)?.values() ?? []) count += one
    return count
  }

  #add(kind: Kind, name: string, worker: number, more: number): void {
    const key = `${kind} ${name}`
    const counts = this.#running.get(key) ?? new Map<number, number>()
    const count = Math.max(0, (counts.get(worker) ?? 0) + more)
    if (count === 0) counts.delete(worker)
    else counts.set(worker, count)
    this.#running.set(key, counts)
  }
}

function limited({ user, database }: QuotaClaim): ReadonlyArray<{ readonly kind: Kind; readonly name: string }> {
  return [
    { kind: 'user', name: user },
    { kind: 'database', name: database },
  ]
}
