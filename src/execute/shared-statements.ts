/**
 * Prepared statements of the protocol. A client's names are its own; on servers a named statement lives under a name made
 * from its content, shared by all clients of this worker that prepared the same under the same settings (soundness 32).
 */
import type { Statement } from './statement.ts'

interface Shared {
  readonly id: number
  references: number
  /** Result types seen: one, until DDL changes it. */
  readonly shapes: Buffer[]
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
      shared = { id: this.nextId(), references: 0, shapes: [] }
      this.#byKey.set(key, shared)
    }
    shared.references++
    return shared.id
  }

  /** The one object for all RowDescriptions of the statement that mean the same columns, so that comparing them is comparing objects. */
  shape(statement: Statement, frame: Buffer): Buffer {
    const shared = this.#byKey.get(statement.key)
    const columns = columnsOf(frame)
    const before = statement.described
    if (before !== null && columnsOf(before) === columns) return before
    if (shared === undefined || shared.id !== statement.id) return frame
    const known = shared.shapes.find(shape => columnsOf(shape) === columns)
    if (known === undefined) shared.shapes.push(frame)
    return known ?? frame
  }

  forget(statement: Statement): void {
    if (statement.key === '') return
    const shared = this.#byKey.get(statement.key)
    if (shared === undefined || shared.id !== statement.id) return
    if (--shared.references === 0) this.#byKey.delete(statement.key)
  }
}

/** Names, types and type modifiers; not where a column comes from, nor its format. */
function columnsOf(frame: Buffer): string {
  let text = ''
  let at = 7
  for (let left = frame.readUInt16BE(5); left > 0; left--) {
    const end = frame.indexOf(0, at)
    text += `${frame.toString('latin1', at, end)}\0${frame.readUInt32BE(end + 7)} ${frame.readInt32BE(end + 13)}\0`
    at = end + 19
  }
  return text
}
