/** One cheap query whose answer changes whenever what load.ts reads, or who may read it, may have changed. */
import type { ClientBase } from 'pg'
import { USER_SCHEMA } from './catalog-sql.ts'

/**
 * Count and sum of the inserting transactions: a catalog row that is changed gets a new, higher xmin, so two states can
 * only agree when nothing happened in between. Rows of temporary objects are left out, they come and go all the time.
 * pg_class is compared by content: TRUNCATE and rewrites give its rows new versions without changing anything that counts.
 */
function versions(from: string): string {
  return `(SELECT concat(count(*), ':', sum(x.xmin::text::int8)) FROM ${from})`
}

const OWN_CLASS = 'JOIN pg_class c ON c.oid = '
const OWN_SCHEMA = `JOIN pg_namespace n ON n.oid = c.relnamespace AND ${USER_SCHEMA}`

const FINGERPRINT = `
SELECT concat_ws(' ',
  current_setting('server_version_num'),
  (SELECT concat(count(*), ':', sum(hashtextextended(concat_ws('|', c.oid, c.relname, c.relnamespace, c.relkind,
     c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relhasrules, c.relhastriggers, c.relowner, c.relacl::text), 0)))
   FROM pg_class c ${OWN_SCHEMA} WHERE c.relkind NOT IN ('i', 'I', 't')),
  ${versions(`pg_attribute x ${OWN_CLASS} x.attrelid AND c.relkind NOT IN ('i', 'I', 't') ${OWN_SCHEMA} WHERE x.attrelid >= 16384`)},
  ${versions(`pg_attrdef x ${OWN_CLASS} x.adrelid ${OWN_SCHEMA}`)},
  ${versions(`pg_index x ${OWN_CLASS} x.indrelid ${OWN_SCHEMA}`)},
  ${versions(`pg_inherits x ${OWN_CLASS} x.inhrelid ${OWN_SCHEMA}`)},
  ${versions(`pg_trigger x ${OWN_CLASS} x.tgrelid ${OWN_SCHEMA}`)},
  ${versions(`pg_rewrite x ${OWN_CLASS} x.ev_class ${OWN_SCHEMA} WHERE x.oid >= 16384`)},
  ${versions('pg_policy x')},
  ${versions(`pg_constraint x JOIN pg_namespace n ON n.oid = x.connamespace AND ${USER_SCHEMA}`)},
  ${versions('pg_proc x WHERE x.oid >= 16384')},
  ${versions('pg_aggregate x WHERE x.aggfnoid >= 16384')},
  ${versions('pg_operator x WHERE x.oid >= 16384')},
  ${versions('pg_cast x WHERE x.oid >= 16384')},
  ${versions(`pg_type x JOIN pg_namespace n ON n.oid = x.typnamespace AND ${USER_SCHEMA} WHERE x.oid >= 16384`)},
  ${versions('pg_enum x')},
  ${versions('pg_range x WHERE x.rngtypid >= 16384')},
  ${versions(`pg_namespace x WHERE x.nspname !~ '^pg_(toast|temp_|toast_temp_)'`)},
  ${versions('pg_auth_members x')},
  ${versions('pg_db_role_setting x')},
  (SELECT md5(string_agg(concat_ws('|', oid, rolname, rolsuper, rolinherit, rolbypassrls), ',' ORDER BY oid)) FROM pg_roles)
) AS fingerprint`

export async function loadFingerprint(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ readonly fingerprint: string }>(FINGERPRINT)
  return rows[0]?.fingerprint ?? ''
}
