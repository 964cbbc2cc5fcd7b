/**
 * Turns the client's messages into steps: finds their plans and shards, keeps the client's statement and portal names.
 * Throws ShardwayError for what a server would refuse, or what the router must.
 */
import type { Plan, SessionCommand } from '../../router/plan.ts'
import { ANY_SHARD, type Router } from '../../router/router.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import {
  OP_BIND,
  OP_CLOSE_PORTAL,
  OP_CLOSE_STATEMENT,
  OP_DESCRIBE_PORTAL,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_FLUSH,
  OP_FUNCTION,
  OP_PARSE,
  OP_QUERY,
  OP_SYNC,
  type Step,
} from '../execute/unit.ts'
import { BindView } from '../protocol/bind-view.ts'
import * as code from '../protocol/codes.ts'
import type { SessionContext } from '../execute/session-context.ts'
import type { Statement } from '../execute/statement.ts'
import type { SharedStatements } from '../execute/shared-statements.ts'
import { ClientStatements, type ParsedStatement, type StatementLimits } from './client-statements.ts'
import { ONE_SHARD_HEAD_BYTES, opaqueStep, shardOfHead, tooLarge } from './large-messages.ts'
import { Doubt } from './doubt.ts'
import { makeStep, NO_SLOTS, slotsOf } from './make-step.ts'
import { isOfStatement, nameOf, zeroAt } from './message-strings.ts'
import { executeStep, parsedOf, prepareSteps, refuseBytes, refuseInParse, refuseOwnHints } from './sql-statements.ts'
import { violation } from './startup-packet.ts'

const NO_TYPES: readonly number[] = []
/** Of the message at hand: for all sessions, one after the other. */
const bindView = new BindView()

interface Portal {
  readonly statement: Statement
  readonly plan: Plan
  readonly shard: number
}

/** Where steps look things up; the session gives it. */
export interface StepSources {
  readonly router: Router
  readonly shared: SharedStatements
  readonly context: SessionContext
  readonly statementLimits: StatementLimits
  /** Settings that statements of the block have named. */
  readonly blockSettings: ReadonlySet<string>
  /** Throws what the plan refuses. */
  refused(plan: Plan): void
}

export class Steps {
  readonly #sources: StepSources
  readonly statements: ClientStatements
  #portals: Map<string, Portal> | null = null
  #doubt: Doubt | null = null

  constructor(sources: StepSources) {
    this.#sources = sources
    this.statements = new ClientStatements(sources)
  }

  /** How much of a Bind over the limit is looked at, where all of it would not be kept. */
  largeBindHeadBytes(limitBytes: number): number {
    return this.#sources.router.shardCount === 1 ? ONE_SHARD_HEAD_BYTES : limitBytes
  }

  query(buffer: Buffer, start: number, end: number, moreBytes = 0): readonly Step[] {
    const { router } = this.#sources
    if (moreBytes > 0) {
      if (router.shardCount > 1) throw tooLarge(end - start + moreBytes)
      return [opaqueStep(true, buffer, start, end, moreBytes)]
    }
    const textEnd = end - 1
    if (end - start < 6 || buffer[textEnd] !== 0) throw violation('invalid message format')
    const plan = this.#find(buffer, start + 5, textEnd)
    const { command } = plan
    if (command?.kind === 'prepare') return this.#prepare(plan, command, buffer.subarray(start + 5, textEnd))
    if (command?.kind === 'execute') return [this.#executeNamed(plan, command, buffer.subarray(start + 5, textEnd))]
    const shard = router.resolve(plan, buffer, null, NO_TYPES)
    return [makeStep(OP_QUERY, buffer, start, end, plan, shard, slotsOf(router, plan), null)]
  }

  #prepare(plan: Plan, command: Extract<SessionCommand, { kind: 'prepare' }>, text: Buffer): readonly Step[] {
    refuseBytes(text)
    refuseOwnHints(plan, this.#sources.context.plan.hints)
    const parsed = parsedOf(command)
    const inner = this.#find(parsed.rest, 0, parsed.textLength)
    return prepareSteps(inner, this.#add(parsed))
  }

  #executeNamed(plan: Plan, command: Extract<SessionCommand, { kind: 'execute' }>, text: Buffer): Step {
    refuseOwnHints(plan, this.#sources.context.plan.hints)
    const statement = this.statements.lookUp(command.name)
    const inner = this.#find(statement.rest, 0, statement.textLength)
    return executeStep(this.#sources.router, command, text, statement, inner)
  }

  /** The client's simple query ended whatever portals there were; the unnamed statement goes too. */
  queryRan(): void {
    this.statements.forget('')
  }

  bindDropped(statement: Statement): void {
    for (const [name, portal] of this.#portals ?? []) if (portal.statement === statement) this.#portals?.delete(name)
  }

  transactionEnded(): void {
    if (this.#portals !== null && this.#portals.size > 0) this.#portals.clear()
  }

  /** `moreBytes` of the message come later; only a Bind may have such. */
  message(type: number, buffer: Buffer, start: number, end: number, moreBytes = 0): Step {
    switch (type) {
      case code.PARSE:
        if (this.#sources.router.shardCount > 1) this.#doubt?.refuseNames(false)
        return this.#parse(buffer, start, end)
      case code.BIND:
        return this.#bindStep(buffer, start, end, moreBytes)
      case code.DESCRIBE:
        return this.#describe(buffer, start, end)
      case code.EXECUTE:
        return this.#noted(this.#execute(buffer, start, end))
      case code.CLOSE:
        return this.#close(buffer, start, end)
      case code.SYNC:
        return makeStep(OP_SYNC, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
      case code.FLUSH:
        return makeStep(OP_FLUSH, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
      default:
        throw violation(`invalid frontend message type ${type}`)
    }
  }

  /** `failed`: nothing that it set is in force. */
  unitDone(failed: boolean): void {
    this.#doubt?.settle(this.#sources.context.settings, failed)
    this.#doubt = null
  }

  #noted(step: Step): Step {
    this.#doubt = Doubt.of(this.#doubt, step, this.#sources.blockSettings)
    return step
  }

  functionCall(buffer: Buffer, start: number, end: number, moreBytes = 0): Step {
    if (this.#sources.router.shardCount > 1) {
      throw new ShardwayError(
        'function_call',
        '0A000',
        'the function call protocol is not supported on a sharded database',
        {
          hint: 'Call the function with SELECT.',
        },
      )
    }
    if (moreBytes > 0) return opaqueStep(false, buffer, start, end, moreBytes)
    return makeStep(OP_FUNCTION, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
  }

  #find(buffer: Buffer, start: number, end: number): Plan {
    const plan = this.#sources.router.find(buffer, start, end, this.#sources.context.plan)
    this.#sources.refused(plan)
    return plan
  }

  #parse(buffer: Buffer, start: number, end: number): Step {
    const nameEnd = zeroAt(buffer, start + 5, end)
    const textEnd = buffer.indexOf(0, nameEnd + 1)
    if (textEnd < 0) throw violation('invalid string in message')
    if (textEnd + 3 > end) throw violation('invalid message format')
    const count = buffer.readUInt16BE(textEnd + 1)
    if (textEnd + 3 + 4 * count !== end) throw violation('invalid message format')
    const name = nameOf(buffer, start + 5, nameEnd)
    // Also when this one fails: servers drop the unnamed statement first.
    if (name === '') this.statements.forget('')
    const plan = this.#find(buffer, nameEnd + 1, textEnd)
    refuseInParse(plan)
    const types =
      count === 0 ? NO_TYPES : Array.from({ length: count }, (_, i) => buffer.readUInt32BE(textEnd + 3 + 4 * i))
    // Where the server would read it, it is read before the name is looked for.
    if (plan.unread !== undefined && name !== '' && this.statements.has(name)) throw plan.unread
    const rest = Buffer.from(buffer.subarray(nameEnd + 1, end))
    const statement = this.#add({ name, rest, textLength: textEnd - nameEnd - 1, types })
    return makeStep(OP_PARSE, buffer, start, end, plan, ANY_SHARD, NO_SLOTS, statement)
  }

  #add(parsed: ParsedStatement): Statement {
    const { context, router } = this.#sources
    const alone = this.#doubt?.ofMeaning === true
    const statement = this.statements.add(parsed, context.settings, router.catalog.catalog.version, alone)
    this.#doubt?.parsed(statement)
    return statement
  }

  #bindStep(buffer: Buffer, start: number, end: number, moreBytes: number): Step {
    const { router } = this.#sources
    const portalEnd = zeroAt(buffer, start + 5, end)
    const nameStart = portalEnd + 1
    const nameEnd = zeroAt(buffer, nameStart, end)
    const statement = this.statements.lookUp(nameOf(buffer, nameStart, nameEnd))
    const bind = bindView
    const given = moreBytes === 0 ? bind.parse(buffer, start + 5, end) : bind.parseHead(buffer, start + 5, end)
    const plan = this.#find(statement.rest, 0, statement.textLength)
    // Its names are looked up again where they stand for other tables now.
    if (router.shardCount > 1 && plan.touches.length > 0) this.#doubt?.refuseNames(true)
    const shard =
      moreBytes === 0
        ? router.resolve(plan, statement.rest, bind, statement.types)
        : shardOfHead(router, plan, statement, bind, given)
    if (shard === null) throw tooLarge(end - start + moreBytes)
    ;(this.#portals ??= new Map()).set(nameOf(buffer, start + 5, portalEnd), { statement, plan, shard })
    return {
      op: OP_BIND,
      buffer,
      start,
      end,
      plan,
      shard,
      // Keys behind the head of a large one were not seen: no slots stand for the whole table.
      slots: moreBytes === 0 ? slotsOf(router, plan) : NO_SLOTS,
      statement,
      nameStart,
      nameEnd,
      moreBytes,
    }
  }

  #describe(buffer: Buffer, start: number, end: number): Step {
    const ofStatement = isOfStatement(buffer, start, 'DESCRIBE')
    const nameEnd = zeroAt(buffer, start + 6, end)
    const name = nameOf(buffer, start + 6, nameEnd)
    if (!ofStatement) return this.#portalStep(OP_DESCRIBE_PORTAL, name, buffer, start, end)
    const statement = this.statements.lookUp(name)
    const plan = this.#find(statement.rest, 0, statement.textLength)
    return makeStep(OP_DESCRIBE_STATEMENT, buffer, start, end, plan, ANY_SHARD, NO_SLOTS, statement)
  }

  #execute(buffer: Buffer, start: number, end: number): Step {
    const nameEnd = zeroAt(buffer, start + 5, end)
    if (nameEnd + 5 !== end) throw violation('invalid message format')
    return this.#portalStep(OP_EXECUTE, nameOf(buffer, start + 5, nameEnd), buffer, start, end)
  }

  #portalStep(op: number, name: string, buffer: Buffer, start: number, end: number): Step {
    const portal = this.#portals?.get(name)
    // Not the server's to say: there BEGIN may have left one, which the proxy put before the client's messages.
    if (portal === undefined && name === '') throw new ShardwayError('no_portal', '34000', 'portal "" does not exist')
    // A cursor that SQL declared is a portal too: only the server knows those.
    if (portal === undefined) return makeStep(op, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
    return makeStep(op, buffer, start, end, portal.plan, portal.shard, NO_SLOTS, portal.statement)
  }

  #close(buffer: Buffer, start: number, end: number): Step {
    const ofStatement = isOfStatement(buffer, start, 'CLOSE')
    const nameEnd = zeroAt(buffer, start + 6, end)
    const name = nameOf(buffer, start + 6, nameEnd)
    if (!ofStatement) {
      this.#portals?.delete(name)
      return makeStep(OP_CLOSE_PORTAL, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
    }
    this.statements.forget(name)
    return makeStep(OP_CLOSE_STATEMENT, buffer, start, end, null, ANY_SHARD, NO_SLOTS, null)
  }
}
