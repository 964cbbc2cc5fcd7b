/** What a server's answers to Describe tell of a statement. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { SharedStatements } from './shared-statements.ts'
import type { Statement } from './statement.ts'

/** A ParameterDescription. */
export function noteParameters(statement: Statement, buffer: Buffer, start: number): void {
  const count = buffer.readUInt16BE(start + 5)
  statement.types = Array.from({ length: count }, (_, i) => buffer.readUInt32BE(start + 7 + 4 * i))
}

/** A RowDescription: what this server has, and what the client knows from now on. */
export function noteResult(
  server: ServerConnection,
  statement: Statement,
  shared: SharedStatements,
  frame: Buffer,
): void {
  const shape = shared.shape(statement, frame)
  statement.described = shape
  server.state.prepared.describe(statement.id, shape)
}
