/** After a unit that may have changed the session: the server is asked for settings and pins before the client hears of its end. */
import { internalQuery } from '../../pool/internal-query.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { IDLE } from '../protocol/codes.ts'
import { carrySettings } from './carry.ts'
import type { Executor } from './executor.ts'
import { notePins, PINS_QUERY } from './pin-causes.ts'
import type { RunningUnit } from './running-unit.ts'
import { settingsQuery } from './settings.ts'

/** `names`: settings to read. A server that cannot be asked is closed, and its client hears of that. */
export function readBack(
  executor: Executor,
  server: ServerConnection,
  running: RunningUnit,
  names: readonly string[],
  then: () => void,
): void {
  if (names.length === 0) return readPins(executor, server, running, then)
  internalQuery(server, settingsQuery(names), (error, rows) => {
    if (executor.closed) return
    if (error !== null) return server.destroy('settings could not be read back')
    carrySettings(executor.client, server, running, names, rows[0] ?? [])
    readPins(executor, server, running, then)
  })
}

function readPins(executor: Executor, server: ServerConnection, running: RunningUnit, then: () => void): void {
  const link = executor.links.of(server)
  if (!running.readsPins || link === undefined) return then()
  internalQuery(server, PINS_QUERY, (error, rows) => {
    if (executor.closed) return
    if (error !== null) return server.destroy('what the session left on its server could not be read back')
    notePins(executor.client, link, rows[0] ?? [], server.status === IDLE)
    then()
  })
}
