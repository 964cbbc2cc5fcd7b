/**
 * Finds the server for a unit: the one that the transaction or the unit has, else one from a pool, of the primary or of a
 * replica that may answer.
 */
import type { Pool } from '../../pool/pool.ts'
import type { Waiter } from '../../pool/waiting.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { ANY_SHARD } from '../../router/router.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { noticeResponse } from '../protocol/backend-messages.ts'
import { IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import { HOLD_PREPARED, HOLD_REPLICA } from './client-output.ts'
import type { Executor } from './executor.ts'
import { Laying, unsure } from './laying.ts'
import { Link } from './links.ts'
import { aborted, behindFailure, firstUnasked, hasFailed } from './failed-block.ts'
import { foreignStatement } from './foreign-statement.ts'
import { dropParses } from './local.ts'
import { leaveBlock } from './leave-block.ts'
import { cancelled } from './lost.ts'
import { notCaughtUp, readOnlyReplica, secondShard } from './placement-errors.ts'
import { isFresh, replicaFor } from './replica-choice.ts'
import type { RunningUnit } from './running-unit.ts'
import {
  endsFailure,
  OP_CLOSE_STATEMENT,
  OP_DESCRIBE_STATEMENT,
  OP_FLUSH,
  OP_PARSE,
  OP_PREPARE,
  OP_SYNC,
  type Step,
  type Unit,
} from './unit.ts'

/** How long a statement of a READ ONLY block waits for its replica to catch up with an acknowledged write. */
const CATCH_UP_US = 10_000_000

/** PgBouncer's words. */
const LONG_WAIT = noticeResponse({
  severity: 'NOTICE',
  sqlstate: '00000',
  message: 'No server connection available in postgres backend, client being queued',
})

interface Waiting {
  readonly pool: Pool
  readonly shard: number
  readonly sinceUs: number
}

export class Placement implements Waiter {
  readonly #executor: Executor
  /** How far this session has seen each shard (consistency `session`), monotonic microseconds. */
  readonly floors = new Map<number, number>()
  #waiting: Waiting | null = null
  readonly laying: Laying

  constructor(executor: Executor) {
    this.#executor = executor
    this.laying = new Laying(executor)
  }

  get waiting(): boolean {
    return this.#waiting !== null
  }

  /** Microseconds that the client has waited for a server, 0 when it does not. */
  waitUs(now: number): number {
    return this.#waiting === null ? 0 : now - this.#waiting.sinceUs
  }

  /** Gives up waiting; false when it did not wait. */
  forget(): boolean {
    if (this.#waiting === null) return false
    this.#waiting.pool.forget(this)
    this.#waiting = null
    return true
  }

  place(running: RunningUnit, unit: Unit): void {
    const { transaction } = this.#executor
    if (running.server !== null) {
      const link = this.#executor.links.of(running.server)
      if (link === undefined) return
      if (!hasFailed(link.server, running) || unit.steps.some(endsFailure)) {
        this.#cutAtSecondShard(running, unit, link.shard)
      }
      this.#cutUnasked(running, link)
      // What went before in the unit has run: it cannot begin anew.
      running.plain = true
      return this.#emitUnlaid(running, link)
    }
    const shards = unit.steps.filter(step => step.shard !== ANY_SHARD)
    const shard = shards[0]?.shard ?? ANY_SHARD
    if (shards.length > 1) this.#cutAtSecondShard(running, unit, shard)
    if (transaction.state === 'open') {
      const link = this.#executor.links.at(transaction.shard)
      if (link === undefined)
        return this.#executor.refuse(new ShardwayError('server_lost', '08006', 'the server is gone'))
      const failed = hasFailed(link.server, running)
      // The block may still move to the shard that Bind will name.
      running.scout = !unit.complete && isScout(unit) && transaction.isMovable && !failed
      // A block that has failed answers everything alike: its server does it, up to what ends the failure.
      if (failed && unit.steps.some(endsFailure)) this.#cutAtSecondShard(running, unit, link.shard)
      this.#cutUnasked(running, link)
      if (failed || shard === ANY_SHARD || shard === link.shard) return this.#emitFresh(running, link)
      const second = secondShard(this.#shardName(link.shard), this.#shardName(shard))
      const left = (error: ShardwayError | null): void => {
        this.laying.busy = false
        if (error === null) this.#placeAnywhere(running, unit, shard)
        else this.#executor.refuse(error)
      }
      this.laying.busy = true
      return leaveBlock(this.#executor, link, second, left)
    }
    this.#placeAnywhere(running, unit, shard)
  }

  /** Outside a block, or in one that no server has yet. */
  #placeAnywhere(running: RunningUnit, unit: Unit, wanted: number): void {
    const { transaction, client, links } = this.#executor
    const { defaultShard } = client.database
    let shard = wanted
    running.scout = isScout(running.unit) && (!unit.complete || transaction.state === 'virtual')
    // A scout asks the only shard that has every relation.
    if (shard === ANY_SHARD && (isScout(unit) || unit.steps.some(prefersDefault))) shard = defaultShard
    if (shard === ANY_SHARD) shard = links.preferred(defaultShard)?.shard ?? client.homeShard
    running.shard = shard
    this.#acquire(running, shard)
  }

  #shardName(shard: number): string {
    return this.#executor.client.database.topology.shardNames[shard] ?? String(shard)
  }

  /** One unit is one transaction: where it comes to another shard it ends with the refusal, and what went before is undone. */
  #cutAtSecondShard(running: RunningUnit, unit: Unit, shard: number): void {
    const at = unit.steps.findIndex(step => step.shard !== ANY_SHARD && step.shard !== shard)
    const other = unit.steps[at]
    if (other !== undefined) this.#cut(running, at, secondShard(this.#shardName(shard), this.#shardName(other.shard)))
  }

  /** In a block that has failed, a statement that its server has is not prepared again but refused. */
  #cutUnasked(running: RunningUnit, { server }: Link): void {
    if (!hasFailed(server, running)) return
    const at = firstUnasked(server, running.unit.steps)
    if (at >= 0) this.#cut(running, at, aborted())
  }

  #cut(running: RunningUnit, at: number, error: ShardwayError): void {
    const { steps, complete, simple } = running.unit
    dropParses(this.#executor.client, steps.slice(at))
    running.unit = { steps: steps.slice(0, at), complete, simple, error }
  }

  #acquire(running: RunningUnit, shard: number): void {
    const held = this.#executor.links.at(shard)
    if (held !== undefined) return this.#attach(running, held)
    const { client } = this.#executor
    try {
      const floor = this.floors.get(shard) ?? -1
      const alone = running.retry || client.poolMode === 'session'
      const replica = alone ? null : replicaFor(client, this.#executor.transaction, running.unit, shard, floor)
      running.retry = false
      running.watermark = replica?.watermark ?? null
      const pool = replica?.pool ?? client.database.primaryPool(shard, client.user)
      const server = pool.acquire(this)
      if (server !== null) return this.#attach(running, this.#link(server, pool, shard))
      this.#waiting = { pool, shard, sinceUs: nowUs() }
    } catch (error) {
      if (!(error instanceof ShardwayError)) throw error
      if (running.watermark !== null) return this.onPrimary(running)
      this.#executor.refuse(error)
    }
  }

  onServer(server: ServerConnection): void {
    const waiting = this.#waiting
    const { running } = this.#executor
    if (waiting === null) return
    this.#waiting = null
    this.#executor.client.database.stats.waitTimeUs += nowUs() - waiting.sinceUs
    if (running === null || this.#executor.closed) return waiting.pool.release(server)
    this.#attach(running, this.#link(server, waiting.pool, waiting.shard))
  }

  #link(server: ServerConnection, pool: Pool, shard: number): Link {
    return new Link(server, pool, shard, this.#executor.client.poolMode === 'session')
  }

  onServerUnavailable(error: ShardwayError): void {
    this.#waiting = null
    const { running, client } = this.#executor
    if (running === null) return
    if (running.watermark !== null) return this.onPrimary(running)
    if (error.code === 'query_wait_timeout') return client.fatal(error)
    this.#executor.refuse(error)
  }

  onLongWait(): void {
    this.#executor.client.output.frame(LONG_WAIT)
  }

  /** The replica cannot answer: once more on the primary. */
  onPrimary(running: RunningUnit): void {
    running.watermark = null
    running.retry = true
    running.server = null
    running.queries = 0
    this.#executor.client.output.discard(HOLD_REPLICA | HOLD_PREPARED)
    const { transaction } = this.#executor
    if (running.preludeBefore !== null && transaction.state === 'open') {
      // The block began with this unit, on the replica: it begins again on the primary.
      transaction.to('virtual')
      transaction.replica = false
      transaction.prelude = running.preludeBefore
      running.preludeBefore = null
    }
    if (running.cancelled) return this.#executor.refuse(cancelled())
    this.#acquire(running, running.shard)
  }

  #attach(running: RunningUnit, link: Link): void {
    const { server } = link
    const mark = running.watermark
    if (mark !== null && server.state.start !== mark.start.slice(0, mark.start.lastIndexOf('/'))) {
      link.pool.release(server)
      return this.onPrimary(running)
    }
    if (server.owner === null) {
      server.owner = this.#executor.answers
      this.#executor.client.database.stats.assignments++
      // Nobody looks what a session leaves behind: it is reset when the client has gone.
      if (this.#executor.client.poolMode === 'session') server.state.dirty = true
    }
    this.#executor.links.add(link)
    running.shard = link.shard
    this.laying.lay(running, link)
  }

  /** Inside a block on a replica: an acknowledged write that the replica lacks must be waited for. */
  #emitFresh(running: RunningUnit, link: Link): void {
    const { transaction } = this.#executor
    if (!transaction.replica) return this.#reattach(running, link)
    const { environment, database } = this.#executor.client
    const { steps } = running.unit
    if (steps.some(step => step.plan?.access === 'write' && step.plan.command === null)) {
      return this.#executor.refuse(readOnlyReplica())
    }
    const snapshot = transaction.isolation === 'repeatable read'
    const mark = environment.watermark(database.name, this.#shardName(link.shard), link.pool.options.address)
    const fresh =
      snapshot ||
      (mark !== undefined && steps.every(s => s.plan === null || isFresh(this.#executor.client, s, s.plan, mark)))
    if (fresh) return this.#reattach(running, link)
    if (nowUs() - running.startedUs > CATCH_UP_US) return this.#executor.refuse(notCaughtUp())
    environment.whenWatermarks(() => {
      if (this.#executor.running === running && !this.#executor.closed && this.#executor.links.of(link.server) === link)
        this.#emitFresh(running, link)
    })
  }

  #reattach(running: RunningUnit, link: Link): void {
    running.shard = link.shard
    if (link.server.status === IN_FAILED_TRANSACTION) return this.#emitUnlaid(running, link)
    this.laying.lay(running, link)
  }

  /** Nothing can be laid on the server before it now: what would be parsed there as something else is refused. */
  #emitUnlaid(running: RunningUnit, link: Link): void {
    const { client, transaction } = this.#executor
    const { settings } = client.context
    // In a block that has failed nothing is parsed before what ends that.
    const steps = hasFailed(link.server, running) ? behindFailure(running.unit) : running.unit.steps
    const foreign = foreignStatement(link.server, steps, settings, transaction.settings, running.changesMeaning)
    if (foreign === null) this.#executor.emit(running, link)
    else this.#executor.refuse(unsure(foreign))
  }
}

function isScout(unit: Unit): boolean {
  return (
    unit.error === null &&
    unit.steps.every(
      ({ op }) =>
        op === OP_PARSE ||
        op === OP_PREPARE ||
        op === OP_DESCRIBE_STATEMENT ||
        op === OP_CLOSE_STATEMENT ||
        op === OP_FLUSH ||
        op === OP_SYNC,
    )
  )
}

function prefersDefault({ plan }: Step): boolean {
  return plan?.target.kind === 'any' && plan.target.prefersDefault === true
}
