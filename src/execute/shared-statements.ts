/**
 * Prepared statements of the protocol. A client's names are its own; on servers a named statement lives under a name made
 * from its content, shared by all clients of this worker that prepared the same under the same settings (soundness 32).
 */
import type { Statement } from './statement.ts'

interface Shared {
  readonly id: number
  references: number
}

export class SharedStatements {
  readonly #byKey = new Map<string, Shared>()
  #lastId = 0

  get size(): number {
    return this.#byKey.size
  }

  /** An id that nobody else will have: unnamed statements are not shared. */
  nextId(): number {
    return ++this.#lastId
  }

  share(key: string): number {
    let shared = this.#byKey.get(key)
    if (shared === undefined) {
      shared = { id: this.nextId(), references: 0 }
      this.#byKey.set(key, shared)
    }
    shared.references++
    return shared.id
  }

  forget(statement: Statement): void {
    if (statement.key === '') return
    const shared = this.#byKey.get(statement.key)
    if (shared === undefined || shared.id !== statement.id) return
    if (--shared.references === 0) this.#byKey.delete(statement.key)
  }
}
