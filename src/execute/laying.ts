/**
 * What must be on a server before a unit runs there: the session's settings, and statements that have to be prepared apart from
 * the unit. None of it is the client's own: it is never answered, and while it goes on nothing of the client's runs.
 */
import { internalQuery } from '../../pool/internal-query.ts'
import type { Settings } from '../../pool/server-state.ts'
import { errorOf } from '../errors/codes.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { IDLE } from '../protocol/codes.ts'
import type { Executor } from './executor.ts'
import { foreignStatement, internalParse } from './foreign-statement.ts'
import type { Link } from './links.ts'
import { QUERY_CANCELED, TRIES } from './read-back.ts'
import type { RunningUnit } from './running-unit.ts'
import { settingsChange } from './settings.ts'
import { prepareCompared, unseenStatement } from './stale-statement.ts'
import type { Statement } from './statement.ts'

type Callback = (error: ShardwayError | null) => void

const SAVEPOINT = 'SAVEPOINT shardway_prepare'
const BACK = 'ROLLBACK TO SAVEPOINT shardway_prepare; RELEASE SAVEPOINT shardway_prepare'

export class Laying {
  readonly #executor: Executor
  /** A server is being made ready, or left: there is nothing to cancel. */
  busy = false
  /** A statement is being prepared here, which may wait for locks as long as the client's own would. */
  preparing: Link | null = null

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** Sends the unit when its server is ready for it. */
  lay(running: RunningUnit, link: Link): void {
    const { server } = link
    const { client, transaction } = this.#executor
    const { settings } = client.context
    const foreign = foreignStatement(server, running.unit.steps, settings, transaction.settings)
    // An unnamed one is gone with the next simple query, that which lays the settings back.
    if (foreign?.unsure === true || foreign?.name === '') return this.#executor.refuse(unsure(foreign))
    if (foreign !== null) return this.#prepareForeign(running, link, foreign)
    // What a block has set is set again inside it.
    const wanted =
      transaction.state === 'virtual' && transaction.outside !== null ? transaction.outside.settings : settings
    if (server.state.settings.signature === wanted.signature) return this.#prepareUnseen(running, link)
    this.#laySettings(running, link, wanted, () => this.#prepareUnseen(running, link))
  }

  /** Statements that the client will decode by what another server described are compared with that first. */
  #prepareUnseen(running: RunningUnit, link: Link, from = 0): void {
    const at = unseenStatement(link.server, running.unit.steps, from)
    const statement = running.unit.steps[at]?.statement ?? null
    if (statement === null) return this.#executor.emit(running, link)
    const { statements } = this.#executor.client.environment
    this.preparing = link
    prepareCompared(
      link.server,
      statement,
      statements,
      this.#then(running, link, () => this.#prepareUnseen(running, link, at + 1)),
    )
  }

  /** A statement that was parsed under other settings means what it meant then (soundness 32): it is prepared under those. */
  #prepareForeign(running: RunningUnit, link: Link, statement: Statement): void {
    const { server } = link
    const parse = (then: Callback): void => {
      this.busy = false
      this.preparing = link
      internalParse(server, statement, then)
    }
    const again = this.#then(running, link, () => this.lay(running, link))
    if (server.status === IDLE) return this.#laySettings(running, link, statement.settings, () => parse(again))
    // In a block the settings may be the block's own (SET LOCAL): laid aside and back they would become the session's.
    const change = settingsChange(server.state.settings, statement.settings)
    this.#ask(link, `${SAVEPOINT}; ${change}`, error => {
      if (error !== null) return again(error)
      parse(refusal => {
        if (server.closed) return again(refusal)
        this.#ask(link, BACK, failure => again(refusal ?? failure))
      })
    })
  }

  #laySettings(running: RunningUnit, link: Link, wanted: Settings, then: () => void): void {
    const { server } = link
    const laid = this.#then(running, link, () => {
      server.state.settings = wanted
      then()
    })
    this.#ask(link, settingsChange(server.state.settings, wanted), laid)
  }

  /** An error changes nothing on the server: outside a block one simple query is one transaction, and a block fails by it. */
  #ask(link: Link, sql: string, callback: Callback, tries = TRIES): void {
    const { server } = link
    this.busy = true
    internalQuery(server, sql, error => {
      // Another session's statement_timeout may still be on the server, or a cancel request have come late.
      const again = error?.sqlstate === QUERY_CANCELED && !server.closed && server.status === IDLE && tries > 1
      if (again && !this.#executor.closed) return this.#ask(link, sql, callback, tries - 1)
      callback(error)
    })
  }

  /** A callback that goes on after success. Of a replica's error the client hears nothing: its catalog may be behind. */
  #then(running: RunningUnit, link: Link, next: () => void): Callback {
    return error => {
      this.busy = false
      this.preparing = null
      const { closed, links, placement } = this.#executor
      if (closed) return
      if (error === null) return next()
      if (link.server.closed) links.forget(link)
      if (running.watermark === null) return this.#executor.refuse(error)
      if (!link.server.closed) links.release(link)
      placement.onPrimary(running)
    }
  }
}

/** Of one that cannot be prepared where it is needed without meaning something else. */
export function unsure({ name }: Statement): ShardwayError {
  return errorOf(
    'not_supported',
    { what: `prepared statement "${name}" beside SET in one batch` },
    { hint: 'Send Sync between SET and what prepares or runs it; prepare it again where it was parsed behind SET.' },
  )
}
