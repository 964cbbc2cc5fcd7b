/**
 * Statements whose Parse happened under settings that the session has changed since, and which this server does not have yet:
 * a literal such as `timestamptz '2020-01-01'` was read at Parse (soundness 32).
 */
import { internalRequest } from '../../pool/internal-query.ts'
import { KIND_PARSE, KIND_SYNC } from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { Settings } from '../../pool/server-state.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { sync } from '../protocol/frontend-messages.ts'
import { hasStatement, parseFor, register } from './emit.ts'
import type { Statement } from './statement.ts'
import { OP_BIND, OP_DESCRIBE_STATEMENT, type Step } from './unit.ts'

/** The first statement that the steps use, that was parsed under other settings and is not on the server. */
export function foreignStatement(
  server: ServerConnection,
  steps: readonly Step[],
  settings: Settings,
): Statement | null {
  for (const { op, statement } of steps) {
    if (statement === null || (op !== OP_BIND && op !== OP_DESCRIBE_STATEMENT)) continue
    if (statement.settings.signature !== settings.signature && !hasStatement(server, statement)) return statement
  }
  return null
}

export function internalParse(
  server: ServerConnection,
  statement: Statement,
  callback: (error: ShardwayError | null) => void,
): void {
  internalRequest(server, [KIND_PARSE, KIND_SYNC], Buffer.concat([parseFor(server, statement), sync]), error => {
    if (error === null) register(server, statement)
    callback(error)
  })
}
