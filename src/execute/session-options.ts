/** `SET [LOCAL] shardway.NAME`: answered here, never forwarded. The planner has checked names and values. */
import type { Consistency } from './client.ts'

export class SessionOptions {
  readonly #session = new Map<string, string>()
  readonly #local = new Map<string, string | null>()
  readonly #defaults: ReadonlyMap<string, string>

  constructor(consistency: Consistency) {
    this.#defaults = new Map([['consistency', consistency]])
  }

  set(name: string, value: string | null, local: boolean): void {
    if (local) this.#local.set(name, value)
    else if (value === null) this.#session.delete(name)
    else this.#session.set(name, value)
  }

  get(name: string): string {
    const local = this.#local.get(name)
    if (local !== undefined && local !== null) return local
    if (local === undefined) {
      const session = this.#session.get(name)
      if (session !== undefined) return session
    }
    return this.#defaults.get(name) ?? ''
  }

  /** Options that the router takes as if every statement carried them as a comment. */
  get hints(): ReadonlyMap<string, string> {
    const hints = new Map<string, string>()
    for (const name of ['shard', 'key']) {
      const value = this.get(name)
      if (value !== '') hints.set(name, value)
    }
    return hints
  }

  /** True when something was local to the transaction. */
  transactionEnded(): boolean {
    if (this.#local.size === 0) return false
    this.#local.clear()
    return true
  }

  reset(): void {
    this.#session.clear()
    this.#local.clear()
  }
}
