/**
 * What must be on a server before a unit runs there: the session's settings, and statements that have to be prepared apart from
 * the unit. None of it is the client's own: it is never answered, and while it goes on nothing of the client's runs.
 */
import { internalQuery } from '../../pool/internal-query.ts'
import type { Settings } from '../../pool/server-state.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { Executor } from './executor.ts'
import { foreignStatement, internalParse } from './foreign-statement.ts'
import type { Link } from './links.ts'
import type { RunningUnit } from './running-unit.ts'
import { settingsChange } from './settings.ts'
import { prepareCompared, unseenStatement } from './stale-statement.ts'
import type { Statement } from './statement.ts'

export class Laying {
  readonly #executor: Executor
  /** A server is being made ready, or left: there is nothing to cancel. */
  busy = false

  constructor(executor: Executor) {
    this.#executor = executor
  }

  /** Sends the unit when its server is ready for it. */
  lay(running: RunningUnit, link: Link): void {
    const { server } = link
    const { client, transaction } = this.#executor
    const { settings } = client.context
    const foreign = foreignStatement(server, running.unit.steps, settings)
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
    prepareCompared(
      link.server,
      statement,
      statements,
      this.#then(running, link, () => this.#prepareUnseen(running, link, at + 1)),
    )
  }

  /** A statement that was parsed under other settings means what it meant then (soundness 32): it is prepared under those. */
  #prepareForeign(running: RunningUnit, link: Link, statement: Statement): void {
    this.#laySettings(running, link, statement.settings, () => {
      internalParse(
        link.server,
        statement,
        this.#then(running, link, () => this.lay(running, link)),
      )
    })
  }

  #laySettings(running: RunningUnit, link: Link, wanted: Settings, then: () => void): void {
    const { server } = link
    const laid = this.#then(running, link, () => {
      server.state.settings = wanted
      then()
    })
    internalQuery(server, settingsChange(server.state.settings, wanted), error => {
      if (error !== null) server.destroy('settings could not be laid on the server')
      laid(error)
    })
  }

  /** A callback that goes on after success. Of a replica's error the client hears nothing: its catalog may be behind. */
  #then(running: RunningUnit, link: Link, next: () => void): (error: ShardwayError | null) => void {
    this.busy = true
    return error => {
      this.busy = false
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
