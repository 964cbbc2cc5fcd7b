/** What comes back from servers for one client: forwarded as it is, looked at only where the session's state hangs on it. */
import { internalQuery } from '../../pool/internal-query.ts'
import type { Owner } from '../../pool/owner.ts'
import { KIND_CLOSE, KIND_LOCAL, KIND_MASK, KIND_PARSE } from '../../pool/request-queue.ts'
import type { LocalAnswer, ServerConnection } from '../../pool/server-connection.ts'
import { NO_SETTINGS } from '../../pool/server-state.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { errorOf, ready } from '../protocol/backend-messages.ts'
import { IDLE, IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import { errorFields } from '../protocol/error-fields.ts'
import { sync } from '../protocol/frontend-messages.ts'
import { HOLD_CATALOG, HOLD_MARKS, HOLD_REPLICA } from './client-output.ts'
import { settingsQuery } from './settings.ts'
import type { Statement } from './statement.ts'
import { carrySettings } from './carry.ts'
import { closeMarks } from './effects.ts'
import type { ParseEntry } from './emit.ts'
import type { Executor } from './executor.ts'
import { lostError, outcomeUnknown } from './lost.ts'
import type { RunningUnit } from './running-unit.ts'

/** Data of the Execute that only makes a block fail. */
export const POISON = Symbol('poison')
/** Data of the Sync that ends a part of a unit which was run apart. */
export const SCOUT = Symbol('scout')
const DISCARD_ALL = 'DISCARD ALL'
const DEALLOCATE_ALL = 'DEALLOCATE ALL'
const SYNC_WAIT_CANCELLED = 'the wait for synchronous replication was cancelled'
const LETTER_D = 0x44
const NO_NAMES: readonly string[] = []

export class Answers implements Owner {
  readonly #executor: Executor

  constructor(executor: Executor) {
    this.#executor = executor
  }

  onServerBytes(server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const { client } = this.#executor
    if (this.#executor.closed) return
    if (!client.output.write(buffer, start, end)) client.serverMustPause(server)
  }

  onFirstRow(): void {
    this.#executor.client.output.release(HOLD_REPLICA)
  }

  onServerError(
    server: ServerConnection,
    buffer: Buffer,
    start: number,
    end: number,
    skipped: boolean,
    data: unknown,
  ): boolean {
    const executor = this.#executor
    const { running, client } = executor
    if (running === null) return false
    client.copyEnded()
    if (data === POISON) return false
    if ((client.output.holding & HOLD_REPLICA) !== 0 && running.watermark !== null && running.complete) {
      running.retry = true
      if (skipped && running.unit.simple) server.send(sync)
      return false
    }
    client.database.stats.errors++
    running.failed = true
    running.mayCommit = false
    if (!skipped) return true
    // Something that the proxy put before the client's messages failed, and with it the rest of the unit.
    client.output.write(Buffer.from(buffer.subarray(start, end)), 0, end - start)
    if (running.unit.simple) server.send(sync) // the server ignores the query behind it up to a Sync
    return false
  }

  onCommandComplete(server: ServerConnection, buffer: Buffer, start: number, end: number): boolean {
    const executor = this.#executor
    const { running, client } = executor
    client.copyEnded()
    if (running === null) return true
    client.output.release(HOLD_REPLICA)
    if (running.uncertain) {
      running.uncertain = false
      client.output.frame(errorOf(outcomeUnknown(SYNC_WAIT_CANCELLED)))
      return false
    }
    if (buffer[start + 5] === LETTER_D) this.#sessionReset(server, buffer, start, end)
    return true
  }

  /** DISCARD ALL and DEALLOCATE ALL, known by their tags wherever they stood. */
  #sessionReset(server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const tag = buffer.toString('latin1', start + 5, end - 1)
    if (tag !== DISCARD_ALL && tag !== DEALLOCATE_ALL) return
    const { client, links } = this.#executor
    // What stands behind it in the same batch was sent for a server that had its statements: not to be reused.
    if (server.outstanding > 2) server.state.closeNeeded = true
    server.state.prepared.clear()
    server.state.evicted.length = 0
    server.state.unnamed = 0
    client.statementsGone()
    if (tag === DEALLOCATE_ALL) return
    server.state.settings = NO_SETTINGS
    server.state.dirty = false
    links.pins.clear()
    // Servers of other shards keep what was pinned there until they are reset, out of the session's sight.
    for (const link of [...links.all()]) if (link.server !== server) links.release(link)
    client.resetSettings()
  }

  onNotice(_server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const { running } = this.#executor
    if (running === null || !running.mayCommit) return
    // A cancel during a synchronous commit makes the server answer success with this warning (soundness 19).
    if (errorFields(buffer, start, end).routine === 'SyncRepWaitForLSN') running.uncertain = true
  }

  onParameterDescription(_server: ServerConnection, buffer: Buffer, start: number, data: unknown): void {
    if (data === null || data === undefined) return
    const statement = data as Statement
    const count = buffer.readUInt16BE(start + 5)
    statement.types = Array.from({ length: count }, (_, i) => buffer.readUInt32BE(start + 7 + 4 * i))
  }

  onParameterStatus(): void {}

  onCopyIn(): void {
    const { running, client } = this.#executor
    if (running !== null && !running.unit.simple) running.complete = false
    client.output.release(HOLD_REPLICA)
    client.copyIn()
  }

  onRequestDropped(server: ServerConnection, kind: number, data: unknown): void {
    const base = kind & KIND_MASK
    if (this.#executor.queryDropped(base)) return
    if (base === KIND_CLOSE && typeof data === 'number') server.state.evicted.push(data)
    if (base === KIND_LOCAL) {
      const { undo } = data as LocalAnswer
      if (undo !== null) this.#executor.client.parseDropped(undo as Statement)
      return
    }
    if (base !== KIND_PARSE || data === null) return
    const { statement, client } = data as ParseEntry
    if (statement.name === '') server.state.unnamed = 0
    else server.state.prepared.delete(statement.id)
    if (client && !(this.#executor.running?.retry ?? false)) this.#executor.client.parseDropped(statement)
  }

  beforeReady(_server: ServerConnection, status: number): boolean {
    const { running } = this.#executor
    if (running === null || running.retry || running.uncertain) return false
    // With settings still to be read back the unit is not over: were the server lost then, it would be answered twice.
    if (this.#settingsToRead(running, status).length > 0) return false
    running.answered = true
    return true
  }

  onServerDrain(): void {
    this.#executor.serverDrained()
  }

  onReady(server: ServerConnection, status: number): void {
    const executor = this.#executor
    const { running } = executor
    if (running === null || running.server !== server) return
    if (running.scout) return this.#scoutDone(server, running)
    if (running.retry) {
      const link = executor.links.of(server)
      if (link !== undefined) executor.links.release(link)
      return executor.placement.onPrimary(running)
    }
    this.#noteStatus(running, status)
    const names = this.#settingsToRead(running, status)
    if (names.length === 0) return this.#settled(server, running, status)
    running.reading = true
    internalQuery(server, settingsQuery(names), (error, rows) => {
      if (executor.closed) return
      if (error !== null) {
        server.destroy('settings could not be read back')
        return
      }
      carrySettings(executor.client, server, running, names, rows[0] ?? [])
      this.#settled(server, running, status)
    })
  }

  #scoutDone(server: ServerConnection, running: RunningUnit): void {
    const executor = this.#executor
    const link = executor.links.of(server)
    if (link !== undefined && executor.links.pins.size === 0) executor.links.release(link)
    running.scout = false
    running.server = null
    if (running.failed && executor.transaction.state === 'virtual') executor.transaction.to('failed')
    if (!running.complete) return executor.client.unitEmitted()
    executor.client.output.frame(ready(executor.status))
    executor.finish(null)
  }

  #noteStatus(running: RunningUnit, status: number): void {
    const executor = this.#executor
    const { transaction, client } = executor
    const { floors } = executor.placement
    const now = nowUs()
    const seen = running.watermark?.replayedUs ?? now
    floors.set(running.shard, Math.max(floors.get(running.shard) ?? -1, seen))
    client.database.stats.queries += running.queries
    if (status !== IDLE) {
      if (transaction.state === 'none') this.#blockBegan(running)
      // What failed must not be run again elsewhere.
      if (status === IN_FAILED_TRANSACTION) transaction.prelude?.splice(-running.preliminaries, running.preliminaries)
      return
    }
    running.marks?.close()
    client.database.stats.transactions++
    client.database.stats.transactionTimeUs += now - (transaction.startedUs || running.startedUs)
    if (transaction.state !== 'open') return
    transaction.marks?.close()
    transaction.marks = null
    if (transaction.changesCatalog) running.changesCatalog = true
    transaction.to('none')
    client.transactionEnded()
  }

  /** BEGIN stood among the unit's statements: what they did ends with the block, not with the unit. */
  #blockBegan(running: RunningUnit): void {
    const { transaction } = this.#executor
    transaction.to('open')
    transaction.shard = running.shard
    transaction.marks = running.marks
    transaction.changesCatalog = running.changesCatalog
    for (const name of running.settings ?? []) transaction.settings.add(name)
  }

  /** What SET, RESET, SET LOCAL, a rollback left behind is asked of the server itself: its words are replayed elsewhere. */
  #settingsToRead(running: RunningUnit, status: number): readonly string[] {
    const { settings } = this.#executor.transaction
    if (status === IDLE && settings.size > 0) running.settings = new Set([...settings, ...(running.settings ?? [])])
    return status === IN_FAILED_TRANSACTION || running.settings === null ? NO_NAMES : [...running.settings]
  }

  #settled(server: ServerConnection, running: RunningUnit, status: number): void {
    const executor = this.#executor
    const { client, transaction } = executor
    if (running.resetAll && status !== IN_FAILED_TRANSACTION) {
      server.state.settings = NO_SETTINGS
      client.resetSettings()
    }
    if ((client.output.holding & HOLD_CATALOG) !== 0) {
      const committed = (running.changesCatalog && status === IDLE) || (running.commits && transaction.changesCatalog)
      if (committed && !running.failed) {
        transaction.changesCatalog = false
        const { output } = client
        client.environment.catalogChanged(client.database.name, () => output.release(HOLD_CATALOG))
      } else client.output.release(HOLD_CATALOG)
    }
    client.output.release(HOLD_REPLICA)
    if (!running.answered) {
      if (running.uncertain) client.output.frame(errorOf(outcomeUnknown(SYNC_WAIT_CANCELLED)))
      client.output.frame(ready(status))
    }
    executor.finish(server)
  }

  onServerLost(server: ServerConnection, error: ShardwayError): void {
    const executor = this.#executor
    if (executor.closed) return
    const { running, links, transaction, client } = executor
    const link = links.of(server)
    if (link !== undefined) links.forget(link)
    if (link === undefined && running?.server !== server) return
    const inBlock = (transaction.state === 'open' && transaction.shard === link?.shard) || running?.begins === true
    closeMarks(transaction.marks, true)
    closeMarks(running?.marks ?? null, true)
    client.output.release(HOLD_MARKS | HOLD_CATALOG)
    if (running === null || running.server !== server) {
      if (inBlock || links.pins.size > 0) client.fatal(lostError(error, false))
      return
    }
    // Half a row is on its way: no error can be said any more.
    if (server.midRow) return client.abort()
    if (running.reading) return client.fatal(lostError(error, running.mayCommit))
    if ((client.output.holding & HOLD_REPLICA) !== 0 && running.complete) return executor.placement.onPrimary(running)
    const reported = lostError(error, running.mayCommit)
    if (inBlock || links.pins.size > 0) return client.fatal(reported)
    client.database.stats.errors++
    client.copyEnded()
    client.output.release(HOLD_REPLICA)
    client.output.frame(errorOf(reported))
    running.failed = true
    running.server = null
    if (transaction.state === 'virtual') transaction.to('failed')
    if (running.complete) {
      client.output.frame(ready(executor.status))
      executor.finish(null)
    } else client.unitEmitted()
  }
}
