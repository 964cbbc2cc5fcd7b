/**
 * Carries one client's units out: gets a server for each, lays the session's settings on it, sends the messages, and gives
 * the server back when it is idle and clean. docs/internals/session.md has the states and invariants.
 */
import { KIND_EXECUTE, KIND_FUNCTION, KIND_QUERY, KIND_SYNC, SKIP } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { errorOf as errorFrom } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { errorOf, ready } from '../protocol/backend-messages.ts'
import { IDLE } from '../protocol/codes.ts'
import { poison, sync } from '../protocol/frontend-messages.ts'
import { HOLD_REPLICA } from './client-output.ts'
import { Answers, POISON, SCOUT } from './answers.ts'
import { cancelUnit } from './cancel.ts'
import type { ExecutorClient } from './client.ts'
import { emitSilently } from './emit.ts'
import { emitUnit } from './emit-unit.ts'
import { holdAnswer } from './hold-answer.ts'
import { type Link, Links } from './links.ts'
import { listenFirst } from './listen-command.ts'
import { hasFailed, inFailedBlock } from './failed-block.ts'
import { answerLocally, countLocal, dropParses, isLocal } from './local.ts'
import { begins, isListen, keepsServer, listenInBlock, tooManyPinned } from './pinned.ts'
import { Notifications } from './notifications.ts'
import { Placement } from './placement.ts'
import { QuotaGate } from './quota-gate.ts'
import { RunningUnit } from './running-unit.ts'
import { addMarks, closeMarks, noteEffects, preliminaryTexts, wayBack } from './effects.ts'
import { Transaction } from './transaction.ts'
import { endsFailure, type Unit } from './unit.ts'

export class Executor {
  readonly transaction = new Transaction()
  readonly links = new Links()
  readonly client: ExecutorClient
  readonly answers: Answers
  /** What the client listens to over several shards. */
  readonly notifications = new Notifications(this)
  running: RunningUnit | null = null
  readonly placement: Placement
  readonly #quota: QuotaGate
  closed = false
  /** When the last unit ended. */
  lastEndUs = nowUs()
  /** The next part of the unit waits until the server takes more. */
  #partWaits = false

  constructor(client: ExecutorClient) {
    this.client = client
    this.answers = new Answers(this)
    this.placement = new Placement(this)
    this.#quota = new QuotaGate(client)
  }

  waitUs(now: number): number {
    return this.placement.waitUs(now)
  }

  /** Transaction status as the client sees it. */
  get status(): number {
    if (this.transaction.state !== 'open') return this.transaction.status
    return this.links.at(this.transaction.shard)?.server.status ?? IDLE
  }

  /** Takes a unit, or the next part of one. */
  run(unit: Unit): void {
    const running = this.running ?? new RunningUnit(unit, nowUs())
    this.running = running
    running.unit = unit
    running.complete = unit.complete
    if (running.failed) return this.#afterFailure(running)
    const begun = this.client.poolMode === 'statement' ? unit.steps.find(begins) : undefined
    if (begun !== undefined) {
      return this.#run(running, this.#withError(unit, begun.plan?.unread ?? errorFrom('statement_pooling')))
    }
    if (this.client.limited && this.#askQuota(running, unit)) return
    this.#run(running, unit)
  }

  #askQuota(running: RunningUnit, unit: Unit): boolean {
    return this.#quota.ask(
      unit,
      () => this.running === running,
      error => this.#mayRun(running, unit, error),
    )
  }

  #mayRun(running: RunningUnit, unit: Unit, error: ShardwayError | null): void {
    // Its server may have been lost meanwhile, and the client been told.
    if (this.running !== running || running.failed) return
    this.#run(running, error === null ? unit : this.#withError(unit, error))
  }

  /** The unit ends with this error of ours, and nothing of it is run. */
  #withError(unit: Unit, error: ShardwayError): Unit {
    dropParses(this.client, unit.steps)
    return { steps: [], complete: unit.complete, simple: unit.simple, error }
  }

  #run(running: RunningUnit, unit: Unit): void {
    running.unit = unit
    if (running.server === null && isLocal(this, unit)) {
      if (this.transaction.state === 'none' && unit.steps.some(isListen)) return this.#listen(running, unit)
      const failed = answerLocally(this, unit)
      countLocal(this, unit)
      running.failed = failed
      if (unit.complete) return this.finish()
      return this.client.unitEmitted()
    }
    this.placement.place(running, unit)
  }

  /** Answered when every shard is listened to. */
  #listen(running: RunningUnit, unit: Unit): void {
    listenFirst(this.notifications, unit.steps, error => {
      if (this.closed || this.running !== running) return
      running.failed = answerLocally(this, error === null ? unit : { ...unit, steps: [], error })
      if (unit.complete) this.finish()
      else this.client.unitEmitted()
    })
  }

  /** An error of the proxy's own about a unit of which nothing was sent. */
  refuse(error: ShardwayError): void {
    const running = this.running
    if (running === null) return
    dropParses(this.client, running.unit.steps)
    // A part of the unit that ran before on its server must be undone as well.
    const link =
      running.server !== null
        ? this.links.of(running.server)
        : this.transaction.state === 'open'
          ? this.links.at(this.transaction.shard)
          : undefined
    if (link !== undefined && !hasFailed(link.server, running)) {
      // The server's block must fail as well, or what follows would run in it.
      const unit: Unit = { steps: [], complete: running.unit.complete, simple: running.unit.simple, error }
      running.unit = unit
      return this.emit(running, link)
    }
    if (this.transaction.state === 'virtual') this.transaction.to('failed')
    this.client.database.stats.errors++
    this.client.output.frame(errorOf(error))
    running.failed = true
    if (running.complete) this.#answerReady()
    else this.client.unitEmitted()
  }

  /** Everything up to Sync is dropped after an error; the Sync itself must reach a server that is in the unit. */
  #afterFailure(running: RunningUnit): void {
    dropParses(this.client, running.unit.steps)
    if (!running.complete) return this.client.unitEmitted()
    if (running.server === null) return this.#answerReady()
    running.server.expect(KIND_SYNC, this.answers)
    running.server.send(sync)
  }

  #answerReady(): void {
    this.client.output.frame(ready(this.status))
    this.finish()
  }

  /** Sends the unit's messages to the server that was found for it. */
  emit(running: RunningUnit, link: Link): void {
    const { server } = link
    const { transaction, client, answers } = this
    const { unit } = running
    const keeper = unit.steps.find(keepsServer)
    if (keeper !== undefined) {
      if (unit.steps.some(isListen)) return this.refuse(listenInBlock())
      if (!link.kept && !link.pool.maySparePinned) {
        return this.refuse(keeper.plan?.unread ?? tooManyPinned(link.pool.options.name))
      }
    }
    // Postgres 18 loses its transaction state in a query between Execute and Sync: the statement after it would fail.
    if (unit.simple && running.server !== null) server.state.closeNeeded = true
    running.server = server
    server.state.requestAtMs = nowUs() / 1000
    if (running.watermark !== null && transaction.state !== 'open') client.output.hold(HOLD_REPLICA)
    if (!running.scout) this.#open(running, link)
    noteEffects(this, running, link)
    addMarks(this, running, link)
    if (running.mayCommit) holdAnswer(this, running)
    const { parses } = server.state
    emitUnit(this, running, link)
    client.database.stats.serverParses += server.state.parses - parses
    if (unit.error !== null) this.#emitError(running, unit.error)
    if (running.scout) {
      server.expect(KIND_SYNC | SKIP, answers, SCOUT)
      server.send(sync)
    } else if (!unit.complete) this.#partEmitted(server)
  }

  /** A client that sends parts without end goes no faster than its server. */
  #partEmitted(server: ServerConnection): void {
    if (server.needsDrain) this.#partWaits = true
    else this.client.unitEmitted()
  }

  /** The server that a part waits for is gone. */
  serverGone(): void {
    this.#partWaits = false
  }

  serverDrained(): void {
    this.client.serverDrained()
    if (!this.#partWaits) return
    this.#partWaits = false
    this.client.unitEmitted()
  }

  /** The pending BEGIN goes first, in the same unit: when it fails, so does everything behind it. */
  #open(running: RunningUnit, link: Link): void {
    const { transaction } = this
    const texts = preliminaryTexts(running.unit)
    if (transaction.state === 'virtual') {
      running.preludeBefore = transaction.prelude === null ? [] : [...transaction.prelude]
      emitSilently(link.server, this.answers, transaction.begin)
      for (const text of transaction.prelude ?? []) emitSilently(link.server, this.answers, text)
      if (transaction.inside !== null) link.server.state.settings = transaction.inside
      transaction.to('open')
      transaction.shard = link.shard
      transaction.replica = running.watermark !== null
    }
    if (transaction.state !== 'open' || transaction.prelude === null) return
    if (hasFailed(link.server, running)) {
      // Nothing runs there but the way out of it; in doubt the block stays where it is.
      if (!running.unit.steps.some(endsFailure)) return
      const text = wayBack(running.unit, texts)
      if (text !== null) running.preliminaries++
      transaction.prelude = text === null ? null : [...transaction.prelude, text]
      return
    }
    if (running.unit.steps.some(step => step.plan?.movable === true)) transaction.hasRead = true
    if (texts === null) transaction.prelude = null
    else {
      transaction.prelude.push(...texts)
      running.preliminaries += texts.length
    }
  }

  #emitError(running: RunningUnit, error: ShardwayError): void {
    const { server, unit } = running
    if (server === null) return
    this.client.database.stats.errors++
    running.failed = true
    const said = hasFailed(server, running) ? inFailedBlock(error, unit) : error
    server.local(this.answers, errorOf(said))
    server.expect(KIND_EXECUTE | SKIP, this.answers, POISON)
    server.send(poison)
    if (!unit.complete) return
    server.expect(KIND_SYNC, this.answers)
    server.send(sync)
  }

  /** A query behind an error in an unfinished batch was skipped: the Sync that waits behind it brings ReadyForQuery. */
  queryDropped(kind: number): boolean {
    if (kind !== KIND_QUERY && kind !== KIND_FUNCTION) return false
    if (this.running !== null) this.running.complete = false
    this.client.unitEmitted()
    return true
  }

  /** The unit is over. */
  finish(): void {
    const { running } = this
    this.running = null
    this.#partWaits = false
    this.#quota.done()
    this.links.releaseIdle()
    this.lastEndUs = nowUs()
    if (running !== null) this.client.database.stats.queryTimeUs += this.lastEndUs - running.startedUs
    this.client.output.whenQuiet(() => {
      if (!this.closed) this.client.unitDone(running?.failed === true)
    })
  }

  cancel(): void {
    cancelUnit(this)
  }

  /** The client is gone. */
  close(): void {
    this.closed = true
    this.notifications.unlisten(null)
    this.#quota.close()
    this.placement.forget()
    for (const link of this.links.all()) {
      if (link.server.outstanding > 0 && this.running?.commits !== true) {
        this.client.environment.cancels.request(link.pool, link.server, () => true)
      }
    }
    closeMarks(this.running?.marks ?? null, this.links.busy)
    closeMarks(this.transaction.marks, this.links.busy)
    this.links.dropAll('client disconnected')
  }
}
