/**
 * User-defined types and relations have other OIDs on every shard. Clients see default_shard's everywhere: what a shard
 * says is translated by this map. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import type { ClientBase } from 'pg'
import type { OidMap } from './catalog.ts'

/** OIDs of one shard by what they are called. */
export interface OidNames {
  readonly types: ReadonlyMap<string, number>
  readonly relations: ReadonlyMap<string, number>
}

interface OidRow {
  readonly kind: 'type' | 'relation'
  readonly name: string
  readonly oid: string
}

// OIDs below 10000 are the same on every server. Arrays go by their element: their own names dodge other types' names.
const OIDS = `
SELECT 'type' AS kind, oid::text,
       CASE WHEN e IS NULL THEN format('%I.%I', n, typname) ELSE format('%I.%I[]', en, e) END AS name
FROM (
  SELECT t.oid, t.typname, n.nspname AS n, e.typname AS e, en.nspname AS en
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_type e ON e.typarray = t.oid
  LEFT JOIN pg_namespace en ON en.oid = e.typnamespace
  WHERE t.oid >= 10000 AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
) AS types
UNION ALL
SELECT 'relation', c.oid::text, format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 10000 AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)' AND c.relkind NOT IN ('i', 'I', 't')`

export async function loadOidNames(client: ClientBase): Promise<OidNames> {
  const { rows } = await client.query<OidRow>(OIDS)
  const types = new Map<string, number>()
  const relations = new Map<string, number>()
  for (const row of rows) (row.kind === 'type' ? types : relations).set(row.name, Number(row.oid))
  return { types, relations }
}

/** The shard's own OIDs → default_shard's, where they differ. What only the shard has is left out. */
export function oidMap(shard: OidNames, reference: OidNames): OidMap {
  return { types: differing(shard.types, reference.types), relations: differing(shard.relations, reference.relations) }
}

function differing(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): [number, number][] {
  const pairs: [number, number][] = []
  for (const [name, oid] of from) {
    const other = to.get(name)
    if (other !== undefined && other !== oid) pairs.push([oid, other])
  }
  return pairs.toSorted((a, b) => a[0] - b[0])
}
