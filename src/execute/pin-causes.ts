/**
 * What is left of the causes for which a client keeps its server. The server is asked: ROLLBACK, DROP, CLOSE, ON COMMIT DROP and
 * functions end or make them in more ways than the text tells.
 */
import type { ExecutorClient } from './client.ts'
import type { Link } from './links.ts'

const TEMPORARY = 'temporary table'
/** One that cannot be read, or whose name no statement of ours could hold. */
export const SETTING = 'setting'

/** Reasons that end when the server no longer has any of what they name; the others last until DISCARD ALL. */
const CAUSES = [
  [
    'advisory lock',
    `pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() AND granted`,
  ],
  ['cursor with hold', 'pg_catalog.pg_cursors WHERE is_holdable'],
  ['prepare', 'pg_catalog.pg_prepared_statements WHERE from_sql'],
  ['listen', 'pg_catalog.pg_listening_channels()'],
] as const

const NAMES = `SELECT relname FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind NOT IN ('i', 't')`

/** One row: temporary names as a JSON array, then for each cause whether there is one. */
export const PINS_QUERY = `SELECT pg_catalog.array_to_json(ARRAY(${NAMES}))::pg_catalog.text, ${CAUSES.map(([, from]) => `EXISTS (SELECT FROM ${from})`).join(', ')}`

/** `settled`: no block is open that could bring something back. */
export function notePins(
  client: ExecutorClient,
  link: Link,
  row: ReadonlyArray<string | null>,
  settled: boolean,
): void {
  const names: unknown = JSON.parse(row[0] ?? '[]')
  const temporary = Array.isArray(names) ? names.map(String) : []
  // Those of another shard's server are never asked for by name: what needs them runs on the default shard.
  if (link.shard === client.database.defaultShard) {
    client.context.temporaryNames = temporary.length === 0 ? null : new Set(temporary)
  }
  if (!settled) return
  if (temporary.length === 0) link.unpin(TEMPORARY)
  for (const [i, [reason]] of CAUSES.entries()) if (row[i + 1] === 'f') link.unpin(reason)
}
