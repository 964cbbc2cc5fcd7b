/**
 * The statements that one server has prepared for the proxy's clients, in the order of their last use. Past its limits the oldest
 * is pushed out: it is closed on the server before the next unit, and until then it can still come back.
 */

/** Text of the statements of one server: what Postgres makes of it in its own memory is a multiple. */
const MAX_BYTES = 16 * 1024 * 1024
/** PgBouncer's default. */
const DEFAULT_COUNT = 200

interface Entry {
  readonly bytes: number
  /**
   * RowDescription of a statement that was described here. It belongs to this server's statement: another server may have prepared
   * the same text before or after DDL.
   */
  described: Buffer | null
}

export class PreparedList {
  /** [pool] max_prepared_statements. */
  limit = DEFAULT_COUNT
  readonly #entries = new Map<number, Entry>()
  #bytes = 0
  /** To be closed before the next unit; those with an entry may come back until then. */
  #evicted: { readonly id: number; readonly entry: Entry | null }[] = []

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Some are still to be closed on the server. */
  get hasEvicted(): boolean {
    return this.#evicted.length > 0
  }

  has(id: number): boolean {
    return this.#entries.has(id)
  }

  /** Prepared on the server, if only until the next unit. */
  isOnServer(id: number): boolean {
    return this.#entries.has(id) || this.#evicted.some(one => one.id === id && one.entry !== null)
  }

  /** Used again: it becomes the youngest. False when the server does not have it. */
  touch(id: number): boolean {
    let entry = this.#entries.get(id)
    if (entry === undefined) {
      const at = this.#evicted.findIndex(one => one.id === id)
      const evicted = this.#evicted[at]?.entry ?? null
      if (evicted === null) return false
      this.#evicted.splice(at, 1)
      entry = evicted
      this.#bytes += entry.bytes
      entry.described = null
    } else this.#entries.delete(id)
    this.#entries.set(id, entry)
    return true
  }

  /** `bytes`: of its text. */
  add(id: number, bytes: number): void {
    this.drop(id)
    this.#entries.set(id, { bytes, described: null })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (oldest === id || (this.#entries.size <= this.limit && this.#bytes <= MAX_BYTES)) return
      this.#evict(oldest)
    }
  }

  describedAs(id: number): Buffer | null {
    return this.#entries.get(id)?.described ?? null
  }

  describe(id: number, shape: Buffer | null): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) entry.described = shape
  }

  #evict(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.drop(id)
    this.#evicted.push({ id, entry })
  }

  /** It is of no use any more: it will be closed, and does not come back. */
  giveUp(id: number): void {
    if (!this.#entries.has(id)) return
    this.drop(id)
    this.#evicted.push({ id, entry: null })
  }

  /** Off every list; true when the server still has it, and it must be closed before its name is used again. */
  takeOut(id: number): boolean {
    const at = this.#evicted.findIndex(one => one.id === id)
    if (at >= 0) this.#evicted.splice(at, 1)
    const listed = this.#entries.has(id)
    this.drop(id)
    return listed || at >= 0
  }

  /** A Close of it was not run after all. */
  keepEvicted(id: number): void {
    this.#evicted.push({ id, entry: null })
  }

  /** The server does not have it any more. */
  drop(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#bytes -= entry.bytes
  }

  /** Takes those out that are to be closed now. */
  takeEvicted(): number[] {
    return this.#evicted.splice(0).map(one => one.id)
  }

  clear(): void {
    this.#entries.clear()
    this.#evicted = []
    this.#bytes = 0
  }
}
