/** Functions, procedures and aggregates outside the system's schemas, with the bodies that can be read. */
import type { ClientBase } from 'pg'
import type { Routine } from './catalog.ts'
import { USER_SCHEMA } from './catalog-sql.ts'

interface RoutineRow {
  readonly id: string
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly volatility: string
  readonly language: string
  readonly body: string | null
  readonly extension: boolean
  readonly definer: boolean
  readonly settings: string[]
}

// An aggregate runs its support functions: it passes for the worst of those outside pg_catalog. With more than one of
// them it has no body that could be read.
const ROUTINES = `
SELECT p.oid::text AS id, n.nspname AS schema, p.proname AS name, p.prokind AS kind,
       CASE WHEN s.routines > 0 AND s.volatile THEN 'v' ELSE p.provolatile END AS volatility,
       COALESCE(s.language, l.lanname) AS language,
       CASE WHEN s.routines > 0 THEN s.body
            WHEN l.lanname = 'sql' AND p.prosqlbody IS NOT NULL THEN pg_get_function_sqlbody(p.oid)
            WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc END AS body,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
         AS extension,
       p.prosecdef OR COALESCE(s.definer, false) AS definer,
       ARRAY(SELECT split_part(setting, '=', 1) FROM unnest(p.proconfig) AS setting ORDER BY 1) AS settings
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN LATERAL (
  SELECT count(*) AS routines, bool_or(f.provolatile = 'v') AS volatile, bool_or(f.prosecdef) AS definer,
         CASE count(*) WHEN 1 THEN min(fl.lanname) ELSE 'plpgsql' END AS language,
         CASE WHEN count(*) = 1 THEN min(CASE WHEN fl.lanname IN ('sql', 'plpgsql') AND f.prosqlbody IS NULL THEN f.prosrc END) END AS body
  FROM pg_aggregate a
  JOIN pg_proc f ON f.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                              a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
  JOIN pg_language fl ON fl.oid = f.prolang
  JOIN pg_namespace fn ON fn.oid = f.pronamespace
  WHERE a.aggfnoid = p.oid AND fn.nspname <> 'pg_catalog'
  HAVING count(*) > 0
) s ON p.prokind = 'a'
WHERE ${USER_SCHEMA} ORDER BY p.oid`

export async function loadRoutines(client: ClientBase): Promise<Routine[]> {
  const { rows } = await client.query<RoutineRow>(ROUTINES)
  return rows.map(row => ({
    id: Number(row.id),
    schema: row.schema,
    name: row.name,
    kind: row.kind,
    volatility: row.volatility,
    language: row.language,
    body: row.body,
    extension: row.extension,
    securityDefiner: row.definer,
    settings: row.settings,
  }))
}
