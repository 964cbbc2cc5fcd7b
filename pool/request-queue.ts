/**
 * What a server still owes answers for, in order. Each entry knows its owner, so that several owners may have requests
 * in flight on one connection. A ring of parallel arrays: no allocation per request.
 */
import type { Owner } from './owner.ts'

export const KIND_QUERY = 0
export const KIND_PARSE = 1
export const KIND_BIND = 2
export const KIND_DESCRIBE = 3
export const KIND_EXECUTE = 4
export const KIND_CLOSE = 5
export const KIND_SYNC = 6
export const KIND_FUNCTION = 7
/** Not sent to the server: `data` holds a frame that is due to the owner when its turn comes. */
export const KIND_LOCAL = 8
export const KIND_MASK = 15
/** The answer is for the proxy, not for the owner's client. */
export const SKIP = 16

export class RequestQueue {
  #kinds: number[] = new Array<number>(16).fill(0)
  #owners: (Owner | null)[] = new Array<Owner | null>(16).fill(null)
  #data: unknown[] = new Array<unknown>(16).fill(null)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(kind: number, owner: Owner, data: unknown): void {
    if (this.#size === this.#kinds.length) this.#grow()
    const at = (this.#head + this.#size) & (this.#kinds.length - 1)
    this.#kinds[at] = kind
    this.#owners[at] = owner
    this.#data[at] = data
    this.#size++
  }

  /** Kind and flags of the oldest entry, -1 when nothing is outstanding. */
  get kind(): number {
    return this.#size === 0 ? -1 : (this.#kinds[this.#head] ?? -1)
  }

  get owner(): Owner | null {
    return this.#size === 0 ? null : (this.#owners[this.#head] ?? null)
  }

  get data(): unknown {
    return this.#size === 0 ? null : this.#data[this.#head]
  }

  shift(): void {
    this.#owners[this.#head] = null
    this.#data[this.#head] = null
    this.#head = (this.#head + 1) & (this.#kinds.length - 1)
    this.#size--
  }

  /** Takes out all but the oldest entry. */
  keepFirst(): void {
    const { owner, kind, data } = this
    if (owner === null) return
    while (this.#size > 0) this.shift()
    this.push(kind, owner, data)
  }

  #grow(): void {
    const capacity = this.#kinds.length
    const order = Array.from({ length: this.#size }, (_, i) => (this.#head + i) & (capacity - 1))
    this.#kinds = order.map(at => this.#kinds[at] ?? 0).concat(new Array<number>(capacity).fill(0))
    this.#owners = order.map(at => this.#owners[at] ?? null).concat(new Array<Owner | null>(capacity).fill(null))
    this.#data = order.map(at => this.#data[at]).concat(new Array<unknown>(capacity).fill(null))
    this.#head = 0
  }
}
