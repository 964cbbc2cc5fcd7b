/** DISCARD ALL and DEALLOCATE ALL, known by their tags wherever they stood. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { NO_SETTINGS } from '../../pool/server-state.ts'
import type { Executor } from './executor.ts'

const DISCARD_ALL = 'DISCARD ALL'
const DEALLOCATE_ALL = 'DEALLOCATE ALL'

/** A CommandComplete whose tag begins with D. */
export function noteSessionReset(
  executor: Executor,
  server: ServerConnection,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  const tag = buffer.toString('latin1', start + 5, end - 1)
  if (tag !== DISCARD_ALL && tag !== DEALLOCATE_ALL) return
  const { client, links } = executor
  // What stands behind it in the same batch was sent for a server that had its statements: not to be reused.
  if (server.outstanding > 2) server.state.closeNeeded = true
  server.state.prepared.clear()
  server.state.unnamed = 0
  client.statementsGone()
  if (tag === DEALLOCATE_ALL) return
  server.state.settings = NO_SETTINGS
  server.state.dirty = false
  // Servers of other shards keep what was pinned there until they are reset, out of the session's sight.
  for (const link of [...links.all()]) {
    if (link.server === server) link.pins = null
    else links.release(link)
  }
  client.context.temporaryNames = null
  executor.notifications.unlisten(null)
  client.context.reset()
}
