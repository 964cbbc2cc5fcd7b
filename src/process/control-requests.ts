/** What a worker asks the control process, and who waits for the answer. */
import { ShardwayError } from '../errors/shardway-error.ts'
import type { ConsoleResult, ErrorFields, QuotaRefusal, StatementClaim, ToControl } from './messages.ts'

/** The control process may be busy; a statement must not hang on it for ever. */
const CATALOG_WAIT_MS = 10_000

export class ControlRequests {
  readonly #send: (message: ToControl) => void
  readonly #console = new Map<number, (result: ConsoleResult | Error) => void>()
  readonly #renewals = new Map<number, () => void>()
  readonly #statements = new Map<number, (refusal: QuotaRefusal | null) => void>()
  #last = 0

  constructor(send: (message: ToControl) => void) {
    this.#send = send
  }

  console(sql: string, user: string, alias: string, callback: (result: ConsoleResult | Error) => void): void {
    const request = ++this.#last
    this.#console.set(request, callback)
    this.#send({ type: 'console', request, sql, user, alias })
  }

  answer(request: number, result: ConsoleResult | null, error: string | null, fields?: ErrorFields): void {
    const callback = this.#console.get(request)
    this.#console.delete(request)
    if (callback === undefined) return
    if (result !== null) return callback(result)
    const { code, sqlstate } = fields ?? { code: 'internal', sqlstate: 'XX000' }
    callback(new ShardwayError(code, sqlstate, error ?? 'no answer', fields ?? {}))
  }

  statements(claim: StatementClaim, callback: (refusal: QuotaRefusal | null) => void): void {
    const request = ++this.#last
    this.#statements.set(request, callback)
    this.#send({ type: 'want-statements', request, claim })
  }

  statementsAnswered(request: number, refusal: QuotaRefusal | null): void {
    const callback = this.#statements.get(request)
    this.#statements.delete(request)
    callback?.(refusal)
  }

  catalogChanged(database: string, callback: () => void): void {
    const request = ++this.#last
    const timer = setTimeout(() => this.catalogRenewed(request), CATALOG_WAIT_MS)
    this.#renewals.set(request, () => {
      clearTimeout(timer)
      callback()
    })
    this.#send({ type: 'catalog-changed', request, database })
  }

  catalogRenewed(request: number): void {
    const callback = this.#renewals.get(request)
    this.#renewals.delete(request)
    callback?.()
  }
}
