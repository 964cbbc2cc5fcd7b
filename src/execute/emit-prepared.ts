/**
 * Runs a unit as Bind and Execute of a statement that the proxy prepared: which units, and their bytes.
 * docs/internals/auto-prepare.md
 */
import type { Owner } from '../../pool/owner.ts'
import { KIND_BIND, KIND_DESCRIBE, KIND_EXECUTE, KIND_SYNC, SKIP } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { type Literals, STRING } from '../../router/literals.ts'
import type { Plan } from '../../router/plan.ts'
import { parseComplete } from '../protocol/backend-messages.ts'
import { BIND } from '../protocol/codes.ts'
import { describePortal, executeAndSync } from '../protocol/frontend-messages.ts'
import type { AutoStatement } from './auto-prepare.ts'
import type { ClientOutput } from './client-output.ts'
import { prepareSilently } from './emit.ts'
import type { Executor } from './executor.ts'
import type { Link } from './links.ts'
import type { RunningUnit } from './running-unit.ts'
import { OP_BIND, OP_DESCRIBE_PORTAL, OP_EXECUTE, OP_PARSE, OP_QUERY, OP_SYNC, type Step, type Unit } from './unit.ts'

const QUOTE = 39

/** Cancelled, or out of time (57014, 55P03): that is the answer, however the statement ran. Anything else is worth a plain run. */
export function mayRunAgain(sqlstate: string): boolean {
  return sqlstate !== '57014' && sqlstate !== '55P03'
}

/** What the unit runs, when it is a statement that may run under a name of the proxy's. */
export function preparedPlan(running: RunningUnit): Plan | null {
  const { unit } = running
  if (!unit.complete || unit.error !== null || running.scout) return null
  const first = unit.steps[0]
  const plan = first?.plan
  if (first === undefined || plan === undefined || plan === null || !plan.preparable) return null
  if (first.op === OP_QUERY) return plan.parse === null || first.statement !== null ? null : plan
  return isOneExtendedStatement(unit.steps) ? plan : null
}

/** Parse, Bind, perhaps Describe, Execute and Sync of the unnamed statement, in one piece. */
function isOneExtendedStatement(steps: readonly Step[]): boolean {
  const count = steps.length
  if (count !== 4 && count !== 5) return false
  const parse = steps[0] as Step
  const bind = steps[1] as Step
  if (parse.op !== OP_PARSE || parse.statement?.name !== '') return false
  if (bind.op !== OP_BIND || bind.statement !== parse.statement) return false
  if (count === 5 && !(steps[2]?.op === OP_DESCRIBE_PORTAL && steps[2].statement === bind.statement)) return false
  const execute = steps[count - 2] as Step
  if (execute.op !== OP_EXECUTE || execute.statement !== bind.statement || steps[count - 1]?.op !== OP_SYNC)
    return false
  for (let i = 2; i < count; i++) {
    const step = steps[i] as Step
    if (step.buffer !== bind.buffer || step.start !== steps[i - 1]?.end) return false
  }
  return true
}

/** The name to run the unit under, or null: outside a block, on a server that nothing was left on, for plans run often. */
export function autoStatementFor(executor: Executor, running: RunningUnit, link: Link): AutoStatement | null {
  const { client, transaction } = executor
  if (running.plain || transaction.state !== 'none' || link.kept || link.server.state.dirty) return null
  const plan = preparedPlan(running)
  if (plan === null) return null
  const { auto } = client.database
  const parsed = running.unit.simple ? plan.parse : running.unit.steps[0]?.statement
  if (parsed === null || parsed === undefined) return null
  return auto.find(plan, client.context.settings, parsed.rest, parsed.textLength, parsed.types)
}

/** Sends the unit under the name. Nothing but what it asks for may be outstanding on the server. */
export function emitPrepared(
  server: ServerConnection,
  owner: Owner,
  output: ClientOutput,
  unit: Unit,
  statement: AutoStatement,
  literals: Literals | null,
): void {
  prepareSilently(server, owner, statement)
  if (literals !== null) return emitLiterals(server, owner, output, statement, literals)
  const { steps } = unit
  const bind = steps[1] as Step
  const sync = steps[steps.length - 1] as Step
  output.lead(parseComplete)
  server.expect(KIND_BIND, owner)
  if (steps.length === 5) server.expect(KIND_DESCRIBE, owner)
  server.expect(KIND_EXECUTE, owner)
  server.expect(KIND_SYNC, owner)
  server.send(renamedUnit(bind, sync.end, statement.serverName))
}

/** The client's own bytes from Bind to Sync, with the name in the Bind. */
function renamedUnit(bind: Step, end: number, name: string): Buffer {
  const { buffer, start, nameStart, nameEnd } = bind
  const grown = name.length - (nameEnd - nameStart)
  const out = Buffer.allocUnsafe(end - start + grown)
  buffer.copy(out, 0, start, nameStart)
  out.write(name, nameStart - start, 'latin1')
  buffer.copy(out, nameStart - start + name.length, nameEnd, end)
  out.writeInt32BE(bind.end - start + grown - 1, 1)
  return out
}

function emitLiterals(
  server: ServerConnection,
  owner: Owner,
  output: ClientOutput,
  statement: AutoStatement,
  literals: Literals,
): void {
  const described = server.state.prepared.describedAs(statement.id)
  server.expect(KIND_BIND | SKIP, owner)
  if (described === null) server.expect(KIND_DESCRIBE, owner, statement)
  else output.lead(described)
  server.expect(KIND_EXECUTE, owner)
  server.expect(KIND_SYNC, owner)
  server.send(boundLiterals(statement.serverName, literals, described === null))
}

/** Bind with the literals as text parameters and text results, perhaps Describe, Execute and Sync. */
function boundLiterals(name: string, literals: Literals, describe: boolean): Buffer {
  const { count } = literals
  let length = 5 + 1 + name.length + 1 + 2 + 2 + 2
  for (let i = 0; i < count; i++) length += 4 + valueLength(literals, i)
  const tail = describe ? describePortal.length : 0
  const out = Buffer.allocUnsafe(length + tail + executeAndSync.length)
  out[0] = BIND
  out.writeInt32BE(length - 1, 1)
  out[5] = 0
  out.write(name, 6, 'latin1')
  let at = 6 + name.length
  out[at++] = 0
  at = out.writeUInt16BE(0, at)
  at = out.writeUInt16BE(count, at)
  for (let i = 0; i < count; i++) {
    at = out.writeInt32BE(valueLength(literals, i), at)
    at = writeValue(out, at, literals, i)
  }
  at = out.writeUInt16BE(0, at)
  if (describe) at += describePortal.copy(out, at)
  executeAndSync.copy(out, at)
  return out
}

/** Digits as written; a string without its quotes, doubled ones as one. */
function valueLength(literals: Literals, index: number): number {
  const start = literals.starts[index] as number
  const end = literals.ends[index] as number
  if (literals.kinds[index] !== STRING) return end - start
  let length = end - start - 2
  if (literals.doubled[index] !== 1) return length
  for (let at = literals.base + start + 1; at < literals.base + end - 1; at++) {
    if (literals.bytes[at] !== QUOTE) continue
    length--
    at++
  }
  return length
}

function writeValue(out: Buffer, to: number, literals: Literals, index: number): number {
  const { bytes, base } = literals
  const quoted = literals.kinds[index] === STRING ? 1 : 0
  const start = base + (literals.starts[index] as number) + quoted
  const end = base + (literals.ends[index] as number) - quoted
  let place = to
  if (literals.doubled[index] !== 1) return place + bytes.copy(out, place, start, end)
  for (let at = start; at < end; at++) {
    out[place++] = bytes[at] as number
    if (bytes[at] === QUOTE) at++
  }
  return place
}
