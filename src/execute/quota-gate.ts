/**
 * Statements of users and databases with max_statements_per_second or max_concurrent_statements: each asks the control
 * process, which counts over all workers, and waits for its word. Others never come here.
 */
import { errorOf } from '../errors/codes.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { QuotaRefusal } from '../process/messages.ts'
import type { ExecutorClient } from './client.ts'
import { OP_EXECUTE, OP_FUNCTION, OP_QUERY, type Unit } from './unit.ts'

export class QuotaGate {
  readonly #client: ExecutorClient
  /** One of max_concurrent_statements is held until the unit ends. */
  #slot = false
  #closed = false

  constructor(client: ExecutorClient) {
    this.#client = client
  }

  /** `isWanted`: asked with the answer, whether the unit still is the one under way. Calls back, later, with the refusal or null; false when there is nothing to ask about. */
  ask(unit: Unit, isWanted: () => boolean, callback: (error: ShardwayError | null) => void): boolean {
    const statements = unit.steps.filter(counts).length
    if (statements === 0) return false
    const { environment, user, database } = this.#client
    const slot = !this.#slot
    environment.askStatements({ user, database: database.name, statements, slot }, refusal => {
      if (refusal === null && slot) {
        this.#slot = true
        if (this.#closed || !isWanted()) this.done()
      }
      if (!this.#closed) callback(refusal === null ? null : errorFor(refusal))
    })
    return true
  }

  /** The unit is over. */
  done(): void {
    if (!this.#slot) return
    this.#slot = false
    this.#client.environment.statementsDone(this.#client.user, this.#client.database.name)
  }

  close(): void {
    this.#closed = true
    this.done()
  }
}

/** What ends a block is free: it gives back what others wait for. */
function counts({ op, plan }: Unit['steps'][number]): boolean {
  if (op !== OP_QUERY && op !== OP_EXECUTE && op !== OP_FUNCTION) return false
  const kind = plan?.command?.kind
  return plan?.tier !== 'empty' && kind !== 'commit' && kind !== 'rollback'
}

function errorFor({ kind, name, limit, value }: QuotaRefusal): ShardwayError {
  return errorOf('statement_limit', { limit, kind, name, value })
}
