/** Requests that a server skipped behind an error, or answered with one: what they would have made is not there. */
import { KIND_BIND, KIND_CLOSE, KIND_LOCAL, KIND_MASK, KIND_PARSE } from '../../pool/request-queue.ts'
import type { LocalAnswer, ServerConnection } from '../../pool/server-connection.ts'
import type { SeenFields } from '../protocol/error-fields.ts'
import type { ExecutorClient } from './client.ts'
import type { ParseEntry } from './emit.ts'
import { isStatement, type Statement } from './statement.ts'

/** Errors that a Bind gives before it makes its portal: the block has failed, the statement is not there. */
const BEFORE_PORTAL: ReadonlySet<string> = new Set(['25P02', '26000'])

export function leavesPortal({ sqlstate }: SeenFields): boolean {
  return !BEFORE_PORTAL.has(sqlstate)
}

interface Dropped {
  /** False when the unit runs once more: the client's names stay. */
  readonly undoes: boolean
  readonly leavesPortal: boolean
}

export function requestDropped(
  client: ExecutorClient,
  server: ServerConnection,
  kind: number,
  data: unknown,
  how: Dropped,
): void {
  const { prepared } = server.state
  switch (kind & KIND_MASK) {
    case KIND_CLOSE:
      if (typeof data === 'number') prepared.keepEvicted(data)
      return
    case KIND_LOCAL: {
      const { undo } = data as LocalAnswer
      if (undo !== null && how.undoes) client.parseDropped(undo as Statement)
      return
    }
    case KIND_BIND:
      if (isStatement(data) && !how.leavesPortal && how.undoes) client.bindDropped(data)
      return
    case KIND_PARSE: {
      if (data === null) return
      const { statement, client: asked } = data as ParseEntry
      if (statement.name === '') server.state.unnamed = 0
      else prepared.takeOut(statement.id)
      if (asked && how.undoes) client.parseDropped(statement)
    }
  }
}
