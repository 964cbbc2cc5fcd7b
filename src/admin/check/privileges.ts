/** Whether the users that statements run as may use the declared tables. */
import type { Config, DatabaseConfig } from '../../config/schema.ts'
import { serverLogins, withConnection } from './connect.ts'
import { type Finding, failure, warning } from './finding.ts'
import type { NodeFacts } from './nodes.ts'
import type { Placements } from './placements.ts'
import type { SchemaFacts } from './schema.ts'

interface PrivilegeRow {
  readonly schema: string
  readonly name: string
  readonly usage: boolean
  readonly missing: readonly string[]
}

const PRIVILEGES_SQL = `
select n.nspname as schema, c.relname as name, pg_catalog.has_schema_privilege(n.oid, 'USAGE') as usage,
       array(select p from pg_catalog.unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p
              where not pg_catalog.has_table_privilege(c.oid, p)) as missing
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where (n.nspname || '.' || c.relname) = any ($1::text[])
 order by 1, 2`

export async function checkPrivileges(
  config: Config,
  database: DatabaseConfig,
  node: NodeFacts,
  schema: SchemaFacts,
  placements: Placements,
  findings: Finding[],
): Promise<void> {
  // Rights on a partitioned table cover its partitions.
  const names = [...placements.keys()].filter(name => schema.tables.get(name)?.parent === '')
  if (names.length === 0) return
  for (const login of serverLogins(database, config.users)) {
    const answer = await withConnection(config.server.tls, node.address, node.dbname, login, client =>
      client.query<PrivilegeRow>(PRIVILEGES_SQL, [names]),
    )
    // Why it cannot connect has been said.
    if ('failure' in answer) continue
    for (const row of answer.result.rows) {
      const where = `${database.name}/${node.shard}/${row.schema}.${row.name}`
      if (!row.usage) {
        const hint = `GRANT USAGE ON SCHEMA ${row.schema} TO ${login.user};`
        findings.push(failure(where, `user "${login.user}" may not use schema ${row.schema}`, hint))
      } else if (row.missing.length > 0) {
        const hint = `GRANT ${row.missing.join(', ')} ON ${row.schema}.${row.name} TO ${login.user}; unless this is meant.`
        findings.push(warning(where, `user "${login.user}" lacks ${row.missing.join(', ')}`, hint))
      }
    }
  }
}
