/**
 * `SET [LOCAL] shardway.NAME`: answered here, never forwarded. Names and values have been checked. As any setting they are taken
 * back with the block, or the savepoint, behind which they were set.
 */
import type { Consistency } from './client.ts'

type Values<Value> = ReadonlyMap<string, Value>

const HINTS = ['shard', 'key'] as const
const NO_HINTS: Values<string> = new Map()

/** Most sessions set nothing: an empty map would cost each of them. */
interface Set {
  readonly session: Values<string> | null
  readonly local: Values<string | null> | null
}

const NOTHING: Set = { session: null, local: null }

export class SessionOptions {
  readonly #consistency: Consistency
  /** What RESET goes back to. */
  readonly #start: Values<string>
  #now = NOTHING
  /** What was there when the block began; null outside of one. */
  #before: Set | null = null
  #savepoints: { readonly name: string; readonly at: Set }[] | null = null

  constructor(consistency: Consistency, start: Values<string>) {
    this.#consistency = consistency
    this.#start = start
  }

  set(name: string, value: string | null, local: boolean): void {
    if (local) {
      this.#now = { ...this.#now, local: new Map(this.#now.local ?? []).set(name, value) }
      return
    }
    const session = new Map(this.#now.session ?? [])
    if (value === null) session.delete(name)
    else session.set(name, value)
    this.#now = { ...this.#now, session }
  }

  get(name: string): string {
    const local = this.#now.local?.get(name)
    if (local !== undefined && local !== null) return local
    const session = local === undefined ? this.#now.session?.get(name) : undefined
    return session ?? this.#start.get(name) ?? (name === 'consistency' ? this.#consistency : '')
  }

  /** Options that the router takes as if every statement carried them as a comment. */
  get hints(): Values<string> {
    if (this.#now === NOTHING && this.#start.size === 0) return NO_HINTS
    const hints = new Map<string, string>()
    for (const name of HINTS) {
      const value = this.get(name)
      if (value !== '') hints.set(name, value)
    }
    return hints
  }

  blockBegan(): void {
    this.#before = this.#now
  }

  /** True when something is different now. */
  blockEnded(committed: boolean): boolean {
    const now = this.#now
    if (!committed && this.#before !== null) this.#now = this.#before
    if (this.#now.local !== null) this.#now = { ...this.#now, local: null }
    this.#before = null
    this.#savepoints = null
    return this.#now !== now
  }

  /** A server has done it. True when something is different now. */
  savepoint(kind: 'savepoint' | 'release' | 'rollback-to', name: string): boolean {
    const now = this.#now
    if (kind === 'savepoint') {
      ;(this.#savepoints ??= []).push({ name, at: now })
      return false
    }
    const at = this.#savepoints?.findLastIndex(one => one.name === name) ?? -1
    if (at < 0 || this.#savepoints === null) return false
    if (kind === 'rollback-to') this.#now = this.#savepoints[at]?.at ?? NOTHING
    // The savepoint itself stays behind a ROLLBACK TO.
    this.#savepoints.length = kind === 'release' ? at : at + 1
    return this.#now !== now
  }

  reset(): void {
    this.#now = NOTHING
  }
}
