/** DISCARD ALL and DEALLOCATE ALL, COMMIT and ROLLBACK: known by their tags wherever they stood. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { NO_SETTINGS } from '../../pool/server-state.ts'
import type { Executor } from './executor.ts'
import type { RunningUnit } from './running-unit.ts'

const [LETTER_C, LETTER_D, LETTER_R, LETTER_S] = [0x43, 0x44, 0x52, 0x53]
const OF_BLOCK: ReadonlySet<string> = new Set(['COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE'])
const DISCARD_ALL = 'DISCARD ALL'
const DEALLOCATE_ALL = 'DEALLOCATE ALL'

/** A CommandComplete. */
export function noteTag(
  executor: Executor,
  server: ServerConnection,
  running: RunningUnit,
  buffer: Buffer,
  start: number,
  end: number,
): void {
  const letter = buffer[start + 5]
  const ofBlock = letter === LETTER_C || letter === LETTER_R || (letter === LETTER_S && running.tagged !== null)
  if (letter !== LETTER_D && !ofBlock) return
  const tag = buffer.toString('latin1', start + 5, end - 1)
  if (tag === DISCARD_ALL || tag === DEALLOCATE_ALL) noteReset(executor, server, tag)
  else if (OF_BLOCK.has(tag)) noteBlock(executor, running, tag)
}

/** Of savepoints only what a server has done counts. */
function noteBlock({ client }: Executor, running: RunningUnit, tag: string): void {
  const command = running.tagged?.shift()
  if (command?.kind === 'savepoint' || command?.kind === 'release' || command?.kind === 'rollback-to') {
    client.context.savepoint(command.kind, command.savepoint)
  } else if (tag === 'COMMIT' || tag === 'ROLLBACK') running.ended = tag
}

function noteReset(executor: Executor, server: ServerConnection, tag: string): void {
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
