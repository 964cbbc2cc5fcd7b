/** Values that a server read back → the session's settings, and what is known to be on that server. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { settingsOf } from '../../pool/server-state.ts'
import type { ExecutorClient } from './client.ts'
import type { RunningUnit } from './running-unit.ts'
import { readPath } from './settings.ts'

/** `row` is the answer to `settingsQuery(names)`, or that to `showQuery(names)`, after which the path stays. */
export function carrySettings(
  client: ExecutorClient,
  server: ServerConnection,
  running: RunningUnit,
  names: readonly string[],
  row: ReadonlyArray<string | null>,
): void {
  const onServer = new Map(server.state.settings.values)
  const wanted = new Map(client.context.settings.values)
  names.forEach((name, i) => {
    const value = row[i] ?? null
    // A unit that failed has reset nothing.
    const wasReset = !running.failed && running.resets?.has(name) === true
    const start = wasReset ? client.context.start.settings.values.get(name) : undefined
    for (const map of [onServer, wanted]) {
      if (value === null) map.delete(name)
      else map.set(name, value)
    }
    if (start !== undefined) wanted.set(name, start)
  })
  server.state.settings = settingsOf(onServer)
  client.context.settings = settingsOf(wanted)
  if (row.length > names.length) client.context.searchPath = readPath(row[names.length] ?? null)
}
