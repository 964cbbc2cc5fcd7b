/** The search_path that a new session of a user would have, without logging in as that user. */
import type { ClientBase } from 'pg'

interface SettingRow {
  readonly value: string | null
  readonly exists: boolean
}

// Later settings are more special. What the file says is the reset value, unless the control user has one of its own.
const SETTING = `
SELECT COALESCE(
  (SELECT substr(setting, length('search_path=') + 1)
   FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS setting
   WHERE setting LIKE 'search\\_path=%'
     AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
     AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
   ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1),
  (SELECT CASE WHEN EXISTS (SELECT FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS setting
                            WHERE setting LIKE 'search\\_path=%' AND s.setdatabase IN (0, d.oid)
                              AND s.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user))
               THEN boot_val ELSE reset_val END
   FROM pg_settings, pg_database d WHERE name = 'search_path' AND d.datname = current_database())
) AS value, EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS exists`

export async function loadSearchPath(client: ClientBase, user: string | null): Promise<string[]> {
  const { rows } = await client.query<SettingRow>(SETTING, [user ?? ''])
  const names = splitNames(rows[0]?.value ?? '')
  const wanted = names.flatMap(name => (name === '$user' ? (user === null ? [] : [user]) : [name]))
  if (wanted.length === 0) return []
  const usable = await client.query<{ readonly name: string }>(
    `SELECT nspname AS name FROM pg_namespace
     WHERE nspname = ANY ($1) AND ($2::text IS NULL OR has_schema_privilege($2, oid, 'USAGE'))`,
    [wanted, rows[0]?.exists === true ? user : null],
  )
  const found = new Set(usable.rows.map(row => row.name))
  return [...new Set(wanted)].filter(name => found.has(name))
}

/** Names separated by commas; quoted ones as they are, others in lower case. Null-safe for what a server accepts. */
export function splitNames(list: string): string[] {
  const names: string[] = []
  for (const match of list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)) {
    const name = match[1]?.replaceAll('""', '"') ?? match[2]?.toLowerCase() ?? ''
    if (name !== '') names.push(name)
  }
  return names
}
