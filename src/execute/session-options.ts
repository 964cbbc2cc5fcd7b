/** `SET [LOCAL] shardway.NAME`: answered here, never forwarded. Names and values have been checked. */
import type { Consistency } from './client.ts'

const HINTS = ['shard', 'key'] as const
const NO_HINTS: ReadonlyMap<string, string> = new Map()

export class SessionOptions {
  readonly #consistency: Consistency
  /** What RESET goes back to. */
  readonly #start: ReadonlyMap<string, string>
  /** Most sessions set nothing: an empty map would cost each of them. */
  #session: Map<string, string> | null = null
  #local: Map<string, string | null> | null = null

  constructor(consistency: Consistency, start: ReadonlyMap<string, string>) {
    this.#consistency = consistency
    this.#start = start
  }

  set(name: string, value: string | null, local: boolean): void {
    if (local) (this.#local ??= new Map()).set(name, value)
    else if (value === null) this.#session?.delete(name)
    else (this.#session ??= new Map()).set(name, value)
  }

  get(name: string): string {
    const local = this.#local?.get(name)
    if (local !== undefined && local !== null) return local
    const session = local === undefined ? this.#session?.get(name) : undefined
    return session ?? this.#start.get(name) ?? (name === 'consistency' ? this.#consistency : '')
  }

  /** Options that the router takes as if every statement carried them as a comment. */
  get hints(): ReadonlyMap<string, string> {
    if (this.#session === null && this.#local === null && this.#start.size === 0) return NO_HINTS
    const hints = new Map<string, string>()
    for (const name of HINTS) {
      const value = this.get(name)
      if (value !== '') hints.set(name, value)
    }
    return hints
  }

  /** True when something was local to the transaction. */
  transactionEnded(): boolean {
    if (this.#local === null) return false
    this.#local = null
    return true
  }

  reset(): void {
    this.#session = null
    this.#local = null
  }
}
