/**
 * Prepared statements whose result type DDL changed. Postgres refuses to run one ("cached plan must not change result type"),
 * since its client decodes rows by what it was told before. Here a statement is prepared on many servers, on some of them after
 * the DDL: those would run it, so what they describe is compared with what the client knows.
 */
import { internalRequest } from '../../pool/internal-query.ts'
import { KIND_CLOSE, KIND_DESCRIBE, KIND_PARSE, KIND_SYNC } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { errorOf } from '../errors/codes.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { ROW_DESCRIPTION } from '../protocol/codes.ts'
import type { SeenFields } from '../protocol/error-fields.ts'
import { closeStatement, describeStatement, sync } from '../protocol/frontend-messages.ts'
import { parseFor, register } from './emit.ts'
import type { RunningUnit } from './running-unit.ts'
import type { SharedStatements } from './shared-statements.ts'
import { serverNameOf, type Statement } from './statement.ts'
import {
  OP_BIND,
  OP_DESCRIBE_PORTAL,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_PARSE,
  type Step,
  type Unit,
} from './unit.ts'

/** A server's own refusal of a statement whose result type has changed. */
export function isStale(fields: SeenFields): boolean {
  return fields.sqlstate === '0A000' && fields.routine === 'RevalidateCachedQuery'
}

/** The server closes it with its next unit; whoever uses it next has it prepared anew. */
export function giveUp(server: ServerConnection, statement: Statement): void {
  server.state.prepared.giveUp(statement.id)
}

/** True when the unit runs nothing but `statement`, once at most, as it was parsed, and tells the client its result type. */
export function mayPrepareAnew(running: RunningUnit, statement: Statement): boolean {
  const { steps, complete, error } = running.unit
  // Its own Parse may stand before: that was answered by us, and the answer is held back (`answersParse`).
  const first = steps[0]?.op === OP_PARSE && steps[0].statement === statement ? steps[1] : steps[0]
  if (!complete || error !== null || first?.statement !== statement || statement.key === '') return false
  if (steps.some(step => step.statement !== null && step.statement !== statement)) return false
  if (steps.filter(step => step.op === OP_EXECUTE).length > 1) return false
  if (first.op === OP_DESCRIBE_STATEMENT) return true
  return first.op === OP_BIND && isDescribed(steps, statement)
}

/** The unit begins with a Parse of what the server has already: should that be stale, the unit runs once more from its beginning. */
export function answersParse(server: ServerConnection, unit: Unit): boolean {
  const first = unit.steps[0]
  if (!unit.complete || first?.op !== OP_PARSE || first.statement === null || first.statement.key === '') return false
  return server.state.prepared.has(first.statement.id)
}

function isDescribed(steps: readonly Step[], statement: Statement): boolean {
  return steps.some(
    step => step.statement === statement && (step.op === OP_DESCRIBE_PORTAL || step.op === OP_DESCRIBE_STATEMENT),
  )
}

/**
 * A statement that the unit runs without asking for its result type, which the client knows from before, and of which it is not
 * known that this server has it with the same: the place of its Bind from `from` on, or -1.
 */
export function unseenStatement(server: ServerConnection, steps: readonly Step[], from: number): number {
  for (let i = from; i < steps.length; i++) {
    const { op, statement } = steps[i] as Step
    if (op !== OP_BIND || statement === null || statement.described === null || statement.key === '') continue
    // Parsed under other settings it must not be parsed again under these.
    if (statement.settings.signature !== server.state.settings.signature) continue
    if (server.state.prepared.describedAs(statement.id) !== statement.described && !isDescribed(steps, statement))
      return i
  }
  return -1
}

/** Prepares it anew and has it described; the error is Postgres's own when the client knows another result. */
export function prepareCompared(
  server: ServerConnection,
  statement: Statement,
  shared: SharedStatements,
  callback: (error: ShardwayError | null) => void,
): void {
  const name = serverNameOf(statement)
  const kinds = [KIND_PARSE, KIND_DESCRIBE, KIND_SYNC]
  const messages = [parseFor(server, statement), describeStatement(name), sync]
  if (server.state.prepared.takeOut(statement.id)) {
    // What the server has may be of before the DDL: what it says now decides.
    kinds.unshift(KIND_CLOSE)
    messages.unshift(closeStatement(name))
  }
  internalRequest(server, kinds, Buffer.concat(messages), (error, _rows, bytes) => {
    if (error !== null) {
      // Parsed perhaps, and then not described: closing what is not there does no harm.
      if (!server.closed) server.state.prepared.keepEvicted(statement.id)
      return callback(error)
    }
    register(server, statement)
    const frame = rowDescriptionIn(bytes)
    const shape = frame === null ? null : shared.shape(statement, Buffer.from(frame))
    server.state.prepared.describe(statement.id, shape)
    callback(shape === statement.described ? null : resultChanged())
  })
}

function resultChanged(): ShardwayError {
  return errorOf('result_changed')
}

function rowDescriptionIn(bytes: Buffer): Buffer | null {
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readUInt32BE(at + 1)) {
    if (bytes[at] === ROW_DESCRIPTION) return bytes.subarray(at, at + 1 + bytes.readUInt32BE(at + 1))
  }
  return null
}
