/** Routines that run without being named: behind operators, casts, domains and types; and which built-ins are volatile. */
import type { ClientBase } from 'pg'
import { routinesIn } from './catalog-sql.ts'

type RoutinesByName = ReadonlyArray<readonly [string, readonly number[]]>

export interface Behind {
  readonly operators: RoutinesByName
  readonly types: RoutinesByName
  readonly volatileBuiltins: readonly string[]
}

interface PairRow {
  readonly name: string
  readonly routines: string[]
}

const SYSTEM = `('pg_catalog', 'information_schema')`

const OPERATORS = `
SELECT o.oprname AS name, array_agg(DISTINCT p.oid::text ORDER BY p.oid::text) AS routines
FROM pg_operator o
JOIN pg_proc p ON p.oid = o.oprcode
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ${SYSTEM}
GROUP BY o.oprname ORDER BY o.oprname`

// A cast runs when either type is named; a domain's checks include those of the domains below it.
const TYPES = `
WITH RECURSIVE below(type, base) AS (
  SELECT oid, oid FROM pg_type WHERE typtype = 'd'
  UNION SELECT b.type, t.typbasetype FROM below b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
), runs(type, routine) AS (
  SELECT b.type, r.routine FROM below b JOIN pg_constraint c ON c.contypid = b.base,
         LATERAL (${routinesIn('c.conbin::text')}) AS r(routine)
  UNION SELECT castsource, castfunc FROM pg_cast WHERE castfunc <> 0
  UNION SELECT casttarget, castfunc FROM pg_cast WHERE castfunc <> 0
  UNION SELECT t.oid, f.routine FROM pg_type t,
         unnest(ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin]::oid[]) AS f(routine)
         WHERE t.oid >= 16384
  UNION SELECT rngtypid, f.routine FROM pg_range, unnest(ARRAY[rngcanonical, rngsubdiff]::oid[]) AS f(routine)
)
SELECT t.typname AS name, array_agg(DISTINCT p.oid::text ORDER BY p.oid::text) AS routines
FROM runs r
JOIN pg_type t ON t.oid = r.type
JOIN pg_proc p ON p.oid = r.routine
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ${SYSTEM}
GROUP BY t.typname ORDER BY t.typname`

const VOLATILE = `
SELECT DISTINCT proname AS name FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' ORDER BY 1`

export async function loadBehind(client: ClientBase): Promise<Behind> {
  const operators = await client.query<PairRow>(OPERATORS)
  const types = await client.query<PairRow>(TYPES)
  const volatile = await client.query<{ readonly name: string }>(VOLATILE)
  return {
    operators: operators.rows.map(pair),
    types: types.rows.map(pair),
    volatileBuiltins: volatile.rows.map(row => row.name),
  }
}

function pair(row: PairRow): readonly [string, readonly number[]] {
  return [row.name, row.routines.map(Number).toSorted((a, b) => a - b)]
}
