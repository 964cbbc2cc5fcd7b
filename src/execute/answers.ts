/** What comes back from servers for one client: forwarded as it is, looked at only where the session's state hangs on it. */
import type { Owner } from '../../pool/owner.ts'
import { KIND_MASK } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { errorOf, ready } from '../protocol/backend-messages.ts'
import { IDLE, IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import { errorFields, movedPosition } from '../protocol/error-fields.ts'
import { sync } from '../protocol/frontend-messages.ts'
import { noteParameters, noteResult } from './descriptions.ts'
import { HOLD_CATALOG, HOLD_PREPARED, HOLD_REPLICA } from './client-output.ts'
import { giveUp, isStale, mayPrepareAnew } from './stale-statement.ts'
import { isStatement } from './statement.ts'
import { mayRunAgain } from './emit-prepared.ts'
import { leavesPortal, requestDropped } from './dropped.ts'
import { emitPlainly } from './emit-unit.ts'
import type { Executor } from './executor.ts'
import { outcomeUnknown, serverLost } from './lost.ts'
import type { RunningUnit } from './running-unit.ts'
import { isRenamed } from './unit.ts'
import { readBack } from './read-back.ts'
import { noteTag } from './session-reset.ts'

/** Data of the Execute that only makes a block fail. */
export const POISON = Symbol('poison')
/** Data of the Sync that ends a part of a unit which was run apart. */
export const SCOUT = Symbol('scout')

const SYNC_WAIT_CANCELLED = 'the wait for synchronous replication was cancelled'
const STANDARD_STRINGS = 'standard_conforming_strings'
const NO_NAMES: readonly string[] = []

export class Answers implements Owner {
  readonly #executor: Executor
  /** The next request that is dropped is the one that gave the error; if it was a Bind, its portal is there all the same. */
  #first = false
  #madePortal = false

  constructor(executor: Executor) {
    this.#executor = executor
  }

  onServerBytes(server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const { client } = this.#executor
    if (this.#executor.closed) return
    if (!client.output.write(buffer, start, end)) client.serverMustPause(server)
  }

  onLocalBytes(_server: ServerConnection, frame: Buffer): void {
    const { running, client } = this.#executor
    // With ReadyForQuery due there will be something to send it with.
    if (running?.complete === true) client.output.lead(frame)
    else client.output.frame(frame)
  }

  onFirstRow(): void {
    this.#executor.client.output.releaseWithNext(HOLD_REPLICA | HOLD_PREPARED)
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
    const fields = errorFields(buffer, start, end)
    this.#first = true
    this.#madePortal = leavesPortal(fields)
    const worthAnother = mayRunAgain(fields.sqlstate)
    const held = client.output.holding
    if ((held & HOLD_REPLICA) !== 0 && running.watermark !== null && running.complete && worthAnother) {
      running.retry = true
      if (isStatement(data) && isStale(fields)) giveUp(server, data)
      if (skipped && running.unit.simple && running.auto === null) server.send(sync)
      return false
    }
    if (running.auto !== null && (held & HOLD_PREPARED) !== 0 && worthAnother) {
      running.again = true
      return false
    }
    if (isStale(fields) && this.#noteStale(server, running, data)) return false
    client.database.stats.errors++
    running.failed = true
    running.mayCommit = false
    // Nothing of what was not read has run.
    if (running.unreadPin !== null) executor.links.of(server)?.unpin(running.unreadPin)
    if (!skipped && isRenamed(data)) {
      const { nameStart, nameEnd, statement } = data
      if (isStale(fields) && statement !== null) giveUp(server, statement)
      client.output.frame(movedPosition(Buffer.from(buffer.subarray(start, end)), nameStart, nameEnd - nameStart))
      return false
    }
    if (!skipped) return true
    // Something that the proxy put before the client's messages failed, and with it the rest of the unit.
    client.output.write(Buffer.from(buffer.subarray(start, end)), 0, end - start)
    if (running.unit.simple && running.auto === null) server.send(sync) // the server ignores the query behind it up to a Sync
    return false
  }

  /** True when the unit will run once more, with the statement prepared anew. */
  #noteStale(server: ServerConnection, running: RunningUnit, data: unknown): boolean {
    if (!isStatement(data)) return false
    giveUp(server, data)
    if (running.plain || this.#executor.transaction.state !== 'none' || !mayPrepareAnew(running, data)) return false
    if (data.settings.signature !== this.#executor.client.context.settings.signature) return false
    running.again = true
    return true
  }

  onCommandComplete(server: ServerConnection, buffer: Buffer, start: number, end: number): boolean {
    const executor = this.#executor
    const { running, client } = executor
    client.copyEnded()
    if (running === null) return true
    running.unreadPin = null
    client.output.releaseWithNext(HOLD_REPLICA | HOLD_PREPARED)
    noteTag(executor, server, running, buffer, start, end)
    if (running.uncertain) {
      running.uncertain = false
      client.output.frame(errorOf(outcomeUnknown(SYNC_WAIT_CANCELLED)))
      return false
    }
    return true
  }

  onNotice(_server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const { running } = this.#executor
    if (running === null || !running.mayCommit) return
    // A cancel during a synchronous commit makes the server answer success with this warning (soundness 19).
    if (errorFields(buffer, start, end).routine === 'SyncRepWaitForLSN') running.uncertain = true
  }

  onParameterDescription(_server: ServerConnection, buffer: Buffer, start: number, data: unknown): void {
    if (isStatement(data)) noteParameters(data, buffer, start)
  }

  onRowDescription(server: ServerConnection, buffer: Buffer, start: number, end: number, data: unknown): void {
    const { statements } = this.#executor.client.environment
    if (isStatement(data)) noteResult(server, data, statements, Buffer.from(buffer.subarray(start, end)))
  }

  onParameterStatus(_server: ServerConnection, name: string, value: string): void {
    if (name === STANDARD_STRINGS) this.#executor.client.context.escapes = value === 'off'
  }

  onCopyIn(): void {
    const { running, client } = this.#executor
    if (running !== null && !running.unit.simple) running.complete = false
    client.output.release(HOLD_REPLICA | HOLD_PREPARED)
    client.copyIn()
  }

  onRequestDropped(server: ServerConnection, kind: number, data: unknown): void {
    if (this.#executor.queryDropped(kind & KIND_MASK)) return
    const first = this.#first
    this.#first = false
    requestDropped(this.#executor.client, server, kind, data, {
      undoes: !this.#runsAgain,
      leavesPortal: first && this.#madePortal,
    })
  }

  get #runsAgain(): boolean {
    const { running } = this.#executor
    return running !== null && (running.retry || running.again)
  }

  beforeReady(server: ServerConnection, status: number): boolean {
    const { running } = this.#executor
    if (running === null || running.retry || running.again) return false
    running.readsPins = this.#pinsToRead(server, running, status)
    running.toRead = this.#settingsToRead(running, status)
    // With settings still to be read back the unit is not over: were the server lost then, it would be answered twice.
    running.answered = !running.uncertain && !running.readsPins && running.toRead.length === 0
    return running.answered
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
    if (running.again) {
      const link = executor.links.of(server)
      if (link !== undefined) emitPlainly(executor, running, link)
      return
    }
    this.#noteStatus(running, status)
    if (running.answered) return this.#settled(running, status)
    running.reading = true
    // The answer may fail the block.
    readBack(executor, server, running, running.toRead, () => this.#settled(running, server.status))
  }

  #scoutDone(server: ServerConnection, running: RunningUnit): void {
    const executor = this.#executor
    const link = executor.links.of(server)
    if (link !== undefined && !link.kept && executor.transaction.state !== 'open') executor.links.release(link)
    running.scout = false
    running.server = null
    if (running.failed && executor.transaction.state === 'virtual') executor.transaction.to('failed')
    if (!running.complete) return executor.client.unitEmitted()
    executor.client.output.frame(ready(executor.status))
    executor.finish()
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
      if (transaction.state === 'none') {
        transaction.opened(running)
        client.context.blockBegan()
      } else if (running.chains && running.ended !== '') {
        transaction.startedUs = now
        client.context.blockEnded(running.ended === 'COMMIT')
        client.context.blockBegan()
      }
      transaction.noteSettings(running.settings)
      if (running.failed || status === IN_FAILED_TRANSACTION) transaction.settingsInDoubt = true
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
    client.context.blockEnded(running.ended === 'COMMIT')
  }

  /** What SET, RESET, SET LOCAL, a rollback left behind is asked of the server itself: its words are replayed elsewhere. */
  #settingsToRead(running: RunningUnit, status: number): readonly string[] {
    const { settings, settingsInDoubt } = this.#executor.transaction
    if (running.failed || settingsInDoubt) running.settingsInDoubt = true
    if (status === IDLE && settings.size > 0) running.settings = new Set([...settings, ...(running.settings ?? [])])
    return status === IN_FAILED_TRANSACTION || running.settings === null ? NO_NAMES : [...running.settings]
  }

  #pinsToRead(server: ServerConnection, running: RunningUnit, status: number): boolean {
    const { links, transaction } = this.#executor
    if (status === IN_FAILED_TRANSACTION || links.of(server)?.pins === null) return false
    return running.touchesPins || (status === IDLE && transaction.touchesPins)
  }

  #settled(running: RunningUnit, status: number): void {
    const executor = this.#executor
    const { client, transaction } = executor
    if (running.resetAll && !running.failed) client.context.resetOptions()
    if ((client.output.holding & HOLD_CATALOG) !== 0) {
      const committed = (running.changesCatalog && status === IDLE) || (running.commits && transaction.changesCatalog)
      if (committed && !running.failed) {
        transaction.changesCatalog = false
        const { output } = client
        client.environment.catalogChanged(client.database.name, () => output.release(HOLD_CATALOG))
      } else client.output.release(HOLD_CATALOG)
    }
    client.output.release(HOLD_REPLICA | HOLD_PREPARED)
    if (!running.answered) {
      if (running.uncertain) client.output.frame(errorOf(outcomeUnknown(SYNC_WAIT_CANCELLED)))
      client.output.frame(ready(status))
    }
    executor.finish()
  }

  onServerLost(server: ServerConnection, error: ShardwayError): void {
    if (!this.#executor.closed) serverLost(this.#executor, server, error)
  }
}
