/** DISCARD ALL: what a session left on its server must not be seen by the next one. */
import { internalQuery } from './internal-query.ts'
import type { ServerConnection } from './server-connection.ts'
import { NO_SETTINGS } from './server-state.ts'

/** `done` is called once, also when the server was closed over it. */
export function resetServer(server: ServerConnection, done: () => void): void {
  internalQuery(server, 'DISCARD ALL', error => {
    const { state } = server
    if (error !== null) server.destroy('DISCARD ALL failed')
    state.settings = NO_SETTINGS
    state.prepared.clear()
    state.unnamed = 0
    state.dirty = false
    done()
  })
}
