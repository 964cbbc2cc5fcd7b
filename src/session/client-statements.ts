/** The statements that one client has prepared, by its names for them. */
import type { Settings } from '../../pool/server-state.ts'
import { errorOf } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { SharedStatements } from '../execute/shared-statements.ts'
import type { Statement } from '../execute/statement.ts'

/** [pool] max_client_prepared_statements and max_client_prepared_bytes. */
export interface StatementLimits {
  /** 0: no limit. */
  readonly count: number
  readonly bytes: number
}

/** What a Parse message says. */
export interface ParsedStatement {
  readonly name: string
  /** Text, zero byte and parameter types. */
  readonly rest: Buffer
  readonly textLength: number
  readonly types: readonly number[]
}

export interface StatementSources {
  readonly shared: SharedStatements
  readonly statementLimits: StatementLimits
}

export class ClientStatements {
  readonly #sources: StatementSources
  #byName: Map<string, Statement> | null = null
  #bytes = 0

  constructor(sources: StatementSources) {
    this.#sources = sources
  }

  get count(): number {
    return this.#byName?.size ?? 0
  }

  has(name: string): boolean {
    return this.#byName?.has(name) === true
  }

  /** Throws 26000. */
  lookUp(name: string): Statement {
    const statement = this.#byName?.get(name)
    if (statement !== undefined) return statement
    const message =
      name === '' ? 'unnamed prepared statement does not exist' : `prepared statement "${name}" does not exist`
    throw new ShardwayError('no_statement', '26000', message)
  }

  /**
   * A new statement, parsed under these settings and this version of the catalog. Throws 42P05 when a named one is there, 53400
   * when the client has too many. `alone`: shared with nobody.
   */
  add(
    { name, rest, textLength, types }: ParsedStatement,
    settings: Settings,
    version: number,
    alone = false,
  ): Statement {
    if (name === '') this.forget('')
    else this.#admit(name, rest.length)
    // With the catalog's version: a Parse after DDL must not be answered from what was prepared before it.
    const { shared } = this.#sources
    // With a number of its own nobody else has the key.
    const of = alone ? `alone ${shared.nextId()}` : `${version}\0${settings.signature}\0${rest.toString('latin1')}`
    const key = name === '' ? '' : of
    const id = key === '' ? shared.nextId() : shared.share(key)
    const statement: Statement = { id, name, rest, textLength, settings, types, described: null, key, unsure: false }
    ;(this.#byName ??= new Map()).set(name, statement)
    this.#bytes += rest.length
    return statement
  }

  #admit(name: string, bytes: number): void {
    if (this.has(name)) {
      throw new ShardwayError('duplicate_statement', '42P05', `prepared statement "${name}" already exists`)
    }
    const limits = this.#sources.statementLimits
    if (limits.count > 0 && this.count >= limits.count) {
      throw errorOf('too_many_prepared', { limit: 'max_client_prepared_statements', value: limits.count })
    }
    if (this.#bytes + bytes > limits.bytes) {
      throw errorOf('too_many_prepared', { limit: 'max_client_prepared_bytes', value: limits.bytes })
    }
  }

  forget(name: string): void {
    const statement = this.#byName?.get(name)
    if (statement === undefined) return
    this.#byName?.delete(name)
    this.#bytes -= statement.rest.length
    this.#sources.shared.forget(statement)
  }

  /** A Parse of the client's failed, or was skipped after an error: its name stands for nothing. */
  dropped(statement: Statement): void {
    if (this.#byName?.get(statement.name) === statement) this.forget(statement.name)
  }

  clear(): void {
    for (const name of [...(this.#byName?.keys() ?? [])]) this.forget(name)
    this.#byName = null
  }
}
