/**
 * SQL-level PREPARE and EXECUTE over several shards. A statement is the same as one of the protocol's Parse: shared by its content,
 * prepared on whichever server runs it. EXECUTE is sent on with the name that the statement has there.
 */
import { isUtf8 } from 'node:buffer'
import type { Plan, SessionCommand } from '../../router/plan.ts'
import { ANY_SHARD, type PlanContext, type Router } from '../../router/router.ts'
import { errorOf } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { serverNameOf, type Statement } from '../execute/statement.ts'
import { OP_PREPARE, OP_QUERY, OP_SYNC, type Step } from '../execute/unit.ts'
import { BindView } from '../protocol/bind-view.ts'
import { queryOf, sync } from '../protocol/frontend-messages.ts'
import type { ParsedStatement } from './client-statements.ts'
import { makeStep, NO_SLOTS, slotsOf } from './make-step.ts'

type Prepare = Extract<SessionCommand, { kind: 'prepare' }>
type Execute = Extract<SessionCommand, { kind: 'execute' }>

const bindView = new BindView()

/** Hints are read in the prepared text itself: before it they would be the PREPARE's. */
export function refuseOwnHints(plan: Plan, sessionHints: PlanContext['hints']): void {
  for (const [name, value] of plan.hints) {
    if (sessionHints?.get(name) === value) continue
    throw errorOf(
      'not_supported',
      { what: 'a hint on PREPARE or EXECUTE' },
      { hint: 'Write it behind the AS of PREPARE.' },
    )
  }
}

/** In the extended protocol they would be prepared statements that prepare or run others. */
export function refuseInParse(plan: Plan): void {
  const kind = plan.command?.kind
  if (kind !== 'prepare' && kind !== 'execute') return
  throw errorOf(
    'not_supported',
    { what: `${kind.toUpperCase()} in a Parse message` },
    { hint: 'Use the Parse, Bind and Execute messages themselves, or a simple query.' },
  )
}

/** The statement is cut out of the text as characters: bytes that are none would be others. */
export function refuseBytes(text: Buffer): void {
  if (isUtf8(text)) return
  throw errorOf('not_supported', { what: 'PREPARE of a text that is not UTF-8' }, { hint: 'Use a Parse message.' })
}

/** What a Parse message would say. */
export function parsedOf({ name, text, types }: Prepare): ParsedStatement {
  const body = Buffer.from(text)
  const rest = Buffer.alloc(body.length + 3 + 4 * types.length)
  body.copy(rest)
  rest.writeUInt16BE(types.length, body.length + 1)
  for (const [i, oid] of types.entries()) rest.writeUInt32BE(oid, body.length + 3 + 4 * i)
  return { name, rest, textLength: body.length, types }
}

/** The steps of a unit: PREPARE, and the Sync that brings its ReadyForQuery. */
export function prepareSteps(plan: Plan, statement: Statement): readonly Step[] {
  const prepare = makeStep(OP_PREPARE, sync, 0, 0, plan, ANY_SHARD, NO_SLOTS, statement)
  return [prepare, makeStep(OP_SYNC, sync, 0, sync.length, null, ANY_SHARD, NO_SLOTS, null)]
}

/** `text`: of the EXECUTE; `plan`: of the prepared statement. */
export function executeStep(router: Router, command: Execute, text: Buffer, statement: Statement, plan: Plan): Step {
  if (plan.command !== null) {
    throw errorOf(
      'not_supported',
      { what: 'EXECUTE of a command of the session' },
      { hint: 'Send the command itself.' },
    )
  }
  const expected = Math.max(statement.types.length, plan.parameters)
  const given = command.values.length
  if (given !== expected) {
    throw new ShardwayError(
      'wrong_parameters',
      '42601',
      `wrong number of parameters for prepared statement "${command.name}"`,
      { detail: `Expected ${expected} parameters but got ${given}.` },
    )
  }
  const { target } = plan
  const keys = target.kind === 'keys' || target.kind === 'shard' ? (target.keys ?? []) : []
  if (keys.some(key => key.from === 'parameter' && command.values[key.index] === undefined)) throw notConstant()
  const bind = bindOf(command.values)
  bindView.parse(bind, 0, bind.length)
  const shard = router.resolve(plan, statement.rest, bindView, statement.types)
  const before = text.subarray(0, command.nameStart)
  const name = serverNameOf(statement)
  const message = queryOf([before, Buffer.from(name), text.subarray(command.nameEnd)])
  const step = makeStep(OP_QUERY, message, 0, message.length, plan, shard, slotsOf(router, plan), statement)
  return {
    ...step,
    nameStart: characters(before) + name.length,
    nameEnd: characters(text.subarray(0, command.nameEnd)),
  }
}

function notConstant(): ShardwayError {
  return errorOf(
    'not_supported',
    { what: 'EXECUTE with a shard key that is no constant' },
    { hint: 'Give plain numbers or strings: the shard follows from them.' },
  )
}

/** The body of a Bind that gives these values as text. */
function bindOf(values: readonly (string | null | undefined)[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0, 0, 0, 0]), uint16(values.length)]
  for (const value of values) {
    const length = Buffer.alloc(4)
    const bytes = Buffer.from(value ?? '')
    length.writeInt32BE(value === null || value === undefined ? -1 : bytes.length)
    parts.push(length, bytes)
  }
  return Buffer.concat([...parts, uint16(0)])
}

function characters(text: Buffer): number {
  return [...text.toString('utf8')].length
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
