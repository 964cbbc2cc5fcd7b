/**
 * Statements whose Parse happened under settings that the session has changed since, and which this server does not have yet:
 * a literal such as `timestamptz '2020-01-01'` was read at Parse (soundness 32).
 */
import { internalRequest } from '../../pool/internal-query.ts'
import { KIND_CLOSE, KIND_PARSE, KIND_SYNC } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { Settings } from '../../pool/server-state.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { closeStatement, sync } from '../protocol/frontend-messages.ts'
import { hasStatement, parseFor, register } from './emit.ts'
import { changesMeaning, isUtility, sameMeaning } from './meaning.ts'
import { serverNameOf, type Statement } from './statement.ts'
import { OP_BIND, OP_DESCRIBE_STATEMENT, OP_PARSE, OP_QUERY, type Step } from './unit.ts'

/**
 * The first statement that the steps use and the server lacks, and that would be parsed there under other settings than its own: they
 * are others now, or a step before it changes them. `block`: see `changesMeaning`; `changed`: an earlier part of the unit does.
 */
export function foreignStatement(
  server: ServerConnection,
  steps: readonly Step[],
  settings: Settings,
  block: ReadonlySet<string>,
  changed = false,
): Statement | null {
  let other = changed
  for (const step of steps) {
    const { op, statement } = step
    other ||= changesMeaning(step, block)
    if (statement === null || (op !== OP_BIND && op !== OP_DESCRIBE_STATEMENT && op !== OP_QUERY)) continue
    if (isUtility(step)) continue
    const foreign = other || statement.unsure || !sameMeaning(statement.settings, settings)
    if (foreign && !hasStatement(server, statement) && !isParsed(steps, statement)) return statement
  }
  return null
}

/** By the steps themselves. */
function isParsed(steps: readonly Step[], statement: Statement): boolean {
  return steps.some(step => step.op === OP_PARSE && step.statement === statement)
}

export function internalParse(
  server: ServerConnection,
  statement: Statement,
  callback: (error: ShardwayError | null) => void,
): void {
  const kinds = [KIND_PARSE, KIND_SYNC]
  const messages = [parseFor(server, statement), sync]
  if (server.state.prepared.takeOut(statement.id)) {
    kinds.unshift(KIND_CLOSE)
    messages.unshift(closeStatement(serverNameOf(statement)))
  }
  internalRequest(server, kinds, Buffer.concat(messages), error => {
    if (error === null) register(server, statement)
    callback(error)
  })
}
