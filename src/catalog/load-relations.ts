/** Relations with their columns, parents, foreign keys, and the routines that may run when they are read or written. */
import type { ClientBase } from 'pg'
import type { Column, Relation } from './catalog.ts'
import { routinesIn, USER_SCHEMA } from './catalog-sql.ts'
import { type PlacedColumn, placementsOf, type TableDeclaration } from './placement.ts'

/** int8 comes as text. */
interface RelationRow {
  readonly id: string
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly persistence: string
  readonly definition: string | null
  readonly triggers: boolean
  readonly rules: boolean
  readonly security: boolean
  readonly parents: string[]
  readonly functions: string[]
  readonly uniques: string[][]
}

interface ColumnRow {
  readonly relation: string
  readonly name: string
  readonly type: string
  readonly typmod: number
  readonly typename: string
  readonly notnull: boolean
  readonly generated: boolean
  readonly volatile: boolean
  readonly deterministic: boolean
  readonly computed: boolean
}

interface ForeignKeyRow {
  readonly from: string
  readonly to: string
}

type Numbered<T, Ids extends keyof T, Lists extends keyof T = never> = Omit<T, Ids | Lists> &
  Readonly<Record<Ids, number>> &
  Readonly<Record<Lists, number[]>>

export interface RawRelations {
  readonly relations: readonly Numbered<RelationRow, 'id', 'parents' | 'functions'>[]
  readonly columns: readonly Numbered<ColumnRow, 'relation' | 'type'>[]
  readonly foreignKeys: readonly Numbered<ForeignKeyRow, 'from' | 'to'>[]
}

// A rule's tree holds the view's whole query, hence every function that reading it may run.
const RELATIONS = `
WITH parts(relation, tree) AS (
  SELECT adrelid, adbin::text FROM pg_attrdef
  UNION ALL SELECT conrelid, conbin::text FROM pg_constraint WHERE conrelid <> 0 AND conbin IS NOT NULL
  UNION ALL SELECT ev_class, ev_action::text || ev_qual::text FROM pg_rewrite
  UNION ALL SELECT polrelid, concat(polqual::text, polwithcheck::text) FROM pg_policy
  UNION ALL SELECT tgrelid, tgqual::text FROM pg_trigger WHERE tgqual IS NOT NULL
  UNION ALL SELECT indrelid, concat(indexprs::text, indpred::text) FROM pg_index
    WHERE indexprs IS NOT NULL OR indpred IS NOT NULL
  UNION ALL SELECT partrelid, partexprs::text FROM pg_partitioned_table WHERE partexprs IS NOT NULL
), trees(relation, tree) AS MATERIALIZED (
  SELECT relation, tree FROM parts WHERE relation >= 16384 AND tree ~ ':(funcid|opfuncid|aggfnoid|winfnoid|opno) '
), runs(relation, routine) AS (
  SELECT p.relation, r.routine FROM trees p, LATERAL (${routinesIn('p.tree')}) AS r(routine)
  UNION SELECT tgrelid, tgfoid FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'
), functions(relation, ids) AS MATERIALIZED (
  SELECT r.relation, array_agg(p.oid::int8 ORDER BY p.oid) FROM runs r JOIN pg_proc p ON p.oid = r.routine
  JOIN pg_namespace pn ON pn.oid = p.pronamespace
  WHERE pn.nspname NOT IN ('pg_catalog', 'information_schema') GROUP BY r.relation
), triggers(relation) AS MATERIALIZED (
  SELECT DISTINCT tgrelid FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'
), rules(relation) AS MATERIALIZED (
  SELECT DISTINCT ev_class FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_enabled <> 'D'
), parents(relation, ids) AS MATERIALIZED (
  SELECT inhrelid, array_agg(inhparent::int8 ORDER BY inhseqno) FROM pg_inherits GROUP BY inhrelid
), uniques(relation, keys) AS MATERIALIZED (
  SELECT i.indrelid, jsonb_agg(ARRAY(
    SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts ORDER BY k.place
  ) ORDER BY i.indexrelid)
  FROM pg_index i
  WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indrelid
)
SELECT c.oid::int8 AS id, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
       triggers.relation IS NOT NULL AS triggers, rules.relation IS NOT NULL AS rules, c.relrowsecurity AS security,
       COALESCE(parents.ids, '{}') AS parents, COALESCE(functions.ids, '{}') AS functions,
       COALESCE(uniques.keys, '[]') AS uniques
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN functions ON functions.relation = c.oid
LEFT JOIN triggers ON triggers.relation = c.oid
LEFT JOIN rules ON rules.relation = c.oid
LEFT JOIN parents ON parents.relation = c.oid
LEFT JOIN uniques ON uniques.relation = c.oid
WHERE ${USER_SCHEMA} ORDER BY c.oid`

// nextval('s'::text) leaves no dependency on the sequence: it is volatile and known by its number.
const COLUMNS = `
WITH own AS MATERIALIZED (
  SELECT a.*, COALESCE(d.adbin, t.typdefaultbin)::text AS tree, d.oid AS default_id
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
  LEFT JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND ${USER_SCHEMA}
), volatile(relation, number) AS MATERIALIZED (
  SELECT DISTINCT o.attrelid, o.attnum FROM own o, LATERAL (${routinesIn('o.tree')}) AS r(routine)
  JOIN pg_proc p ON p.oid = r.routine WHERE p.provolatile = 'v' AND o.tree ~ ':(funcid|opfuncid|opno) '
), sequenced(default_id) AS MATERIALIZED (
  SELECT DISTINCT s.objid FROM pg_depend s JOIN pg_class q ON q.oid = s.refobjid AND q.relkind = 'S'
  WHERE s.classid = 'pg_attrdef'::regclass AND s.refclassid = 'pg_class'::regclass
)
SELECT o.attrelid::int8 AS relation, o.attname AS name, o.atttypid::int8 AS type, o.atttypmod AS typmod,
       format_type(o.atttypid, o.atttypmod) AS typename, o.attnotnull AS notnull,
       o.attidentity <> '' OR s.default_id IS NOT NULL OR COALESCE(o.tree ~ ':funcid (1574|1575|1576) ', false)
         AS generated,
       v.relation IS NOT NULL AS volatile,
       COALESCE(l.collisdeterministic, true) AS deterministic,
       o.attgenerated <> '' AS computed
FROM own o
LEFT JOIN volatile v ON v.relation = o.attrelid AND v.number = o.attnum
LEFT JOIN sequenced s ON s.default_id = o.default_id
LEFT JOIN pg_collation l ON l.oid = o.attcollation
ORDER BY o.attrelid, o.attnum`

const FOREIGN_KEYS = `
SELECT DISTINCT conrelid::int8 AS "from", confrelid::int8 AS "to" FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2`

export async function loadRelations(client: ClientBase): Promise<RawRelations> {
  const relations = await client.query<RelationRow>(RELATIONS)
  const columns = await client.query<ColumnRow>(COLUMNS)
  const foreignKeys = await client.query<ForeignKeyRow>(FOREIGN_KEYS)
  return {
    relations: relations.rows.map(row => ({
      ...row,
      id: Number(row.id),
      parents: row.parents.map(Number),
      functions: row.functions.map(Number),
    })),
    columns: columns.rows.map(row => ({ ...row, relation: Number(row.relation), type: Number(row.type) })),
    foreignKeys: foreignKeys.rows.map(row => ({ from: Number(row.from), to: Number(row.to) })),
  }
}

export interface PlacedRelations {
  readonly relations: readonly Relation[]
  readonly problems: string[]
  readonly missing: string[]
}

export function placeRelations(raw: RawRelations, tables: readonly TableDeclaration[]): PlacedRelations {
  const columns = groupBy(raw.columns, column => column.relation)
  const from = groupBy(raw.foreignKeys, key => key.from)
  const to = groupBy(raw.foreignKeys, key => key.to)
  const placeable = raw.relations.map(row => ({ ...row, columns: (columns.get(row.id) ?? []).map(placedColumn) }))
  const { byId, problems, missing } = placementsOf(placeable, tables)
  const relations = placeable.map(
    (row): Relation => ({
      id: row.id,
      schema: row.schema,
      name: row.name,
      kind: row.kind,
      persistence: row.persistence,
      columns: row.columns.map(plainColumn),
      placement: byId.get(row.id) ?? { kind: 'local' },
      definition: row.definition,
      functions: row.functions,
      hasTriggers: row.triggers,
      hasRules: row.rules,
      rowSecurity: row.security,
      parent: row.parents[0] ?? 0,
      references: (from.get(row.id) ?? []).map(key => key.to),
      referencedBy: (to.get(row.id) ?? []).map(key => key.from),
      uniques: row.uniques,
    }),
  )
  return { relations, problems, missing }
}

function placedColumn(row: RawRelations['columns'][number]): PlacedColumn {
  return {
    name: row.name,
    type: row.type,
    notNull: row.notnull,
    generated: row.generated,
    volatileDefault: row.volatile,
    typeModifier: row.typmod,
    typeName: row.typename,
    deterministic: row.deterministic,
    computed: row.computed,
  }
}

function plainColumn({ name, type, notNull, generated, volatileDefault }: PlacedColumn): Column {
  return { name, type, notNull, generated, volatileDefault }
}

function groupBy<T>(rows: readonly T[], key: (row: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>()
  for (const row of rows) {
    const group = groups.get(key(row))
    if (group === undefined) groups.set(key(row), [row])
    else group.push(row)
  }
  return groups
}
