/** Reads what `shardway check` needs of a shard's schema, in four queries. Definitions are texts made under an empty
 * search_path, so that equal objects have equal texts on every shard. */
import type { Client } from 'pg'

export interface ColumnFact {
  readonly name: string
  /** format_type: `character varying(20)`. */
  readonly type: string
  /** Name of the type without modifiers, with its schema unless it is pg_catalog's. */
  readonly base: string
  readonly notNull: boolean
  readonly deterministic: boolean
  readonly generated: boolean
  readonly sequence: boolean
  /** Everything that must be equal on every shard. */
  readonly definition: string
}

export interface IndexFact {
  readonly name: string
  readonly unique: boolean
  readonly primary: boolean
  /** Plain columns among the key columns. */
  readonly columns: readonly string[]
  readonly definition: string
}

export interface ConstraintFact {
  readonly name: string
  /** pg_constraint.contype: c f n p u x t */
  readonly kind: string
  readonly columns: readonly string[]
  /** For foreign keys: `schema.table`, and its columns. */
  readonly target: string
  readonly targetColumns: readonly string[]
  readonly definition: string
}

export interface TriggerFact {
  readonly name: string
  readonly beforeRowWrite: boolean
  readonly language: string
  readonly source: string
  readonly definition: string
}

export interface TableFact {
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly replicaIdentity: string
  /** `schema.table` of the parent of a partition or child, or ''. */
  readonly parent: string
  readonly columns: readonly ColumnFact[]
  readonly indexes: readonly IndexFact[]
  readonly constraints: readonly ConstraintFact[]
  readonly triggers: readonly TriggerFact[]
}

export interface SchemaFacts {
  /** By `schema.table`. */
  readonly tables: ReadonlyMap<string, TableFact>
  /** By `schema.name(arguments)`. */
  readonly functions: ReadonlyMap<string, string>
  /** Enums, domains, composite types by `schema.name`. */
  readonly types: ReadonlyMap<string, string>
  readonly extensions: ReadonlyMap<string, string>
}

const OWN_SCHEMAS = `n.nspname not in ('pg_catalog', 'information_schema', 'shardway') and n.nspname !~ '^pg_'`

/** Objects of extensions are the extension's: compared by its version. */
function notOfExtension(catalog: string, oid: string): string {
  return `not exists (select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass
    and e.objid = ${oid} and e.deptype = 'e')`
}

const TABLES_SQL = `
select n.nspname as schema, c.relname as name, c.relkind::text as kind, c.relreplident::text as "replicaIdentity",
       coalesce((select pn.nspname || '.' || p.relname from pg_catalog.pg_inherits i
                   join pg_catalog.pg_class p on p.oid = i.inhparent join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
                  where i.inhrelid = c.oid order by i.inhseqno limit 1), '') as parent,
       coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
           'base', case when tn.nspname = 'pg_catalog' then t.typname else tn.nspname || '.' || t.typname end,
           'notNull', a.attnotnull, 'deterministic', coalesce(co.collisdeterministic, true),
           'generated', a.attgenerated <> '',
           'sequence', a.attidentity <> '' or coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) like '%nextval(%', false),
           'definition', pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
              case when co.oid is not null and a.attcollation <> t.typcollation then 'collate ' || co.collname end,
              case when a.attnotnull then 'not null' end,
              case when a.attidentity <> '' then 'identity ' || a.attidentity::text end,
              case when a.attgenerated <> '' then 'generated' end,
              'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid))) order by a.attnum)
         from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
         join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
         left join pg_catalog.pg_collation co on co.oid = a.attcollation
         left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
       coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', ic.relname, 'unique', i.indisunique, 'primary', i.indisprimary,
           'columns', (select coalesce(pg_catalog.json_agg(a.attname), '[]') from pg_catalog.generate_series(0, i.indnkeyatts - 1) k
                        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[k] and a.attnum > 0),
           'definition', pg_catalog.pg_get_indexdef(i.indexrelid)) order by ic.relname)
         from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid), '[]') as indexes,
       coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', k.conname, 'kind', k.contype::text, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
           'target', coalesce((select fn.nspname || '.' || f.relname from pg_catalog.pg_class f
                        join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace where f.oid = k.confrelid), ''),
           'columns', (select coalesce(pg_catalog.json_agg(a.attname order by u.at), '[]')
                        from pg_catalog.unnest(k.conkey) with ordinality u(num, at)
                        join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num),
           'targetColumns', (select coalesce(pg_catalog.json_agg(a.attname order by u.at), '[]')
                        from pg_catalog.unnest(k.confkey) with ordinality u(num, at)
                        join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num)) order by k.conname)
         from pg_catalog.pg_constraint k
        where k.conrelid = c.oid and (k.contype <> 'f' or k.conparentid = 0)), '[]') as constraints,
       coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object(
           'name', g.tgname, 'beforeRowWrite', (g.tgtype & 3) = 3 and (g.tgtype & 20) <> 0,
           'language', l.lanname, 'source', p.prosrc, 'definition', pg_catalog.pg_get_triggerdef(g.oid)) order by g.tgname)
         from pg_catalog.pg_trigger g join pg_catalog.pg_proc p on p.oid = g.tgfoid
         join pg_catalog.pg_language l on l.oid = p.prolang
        where g.tgrelid = c.oid and not g.tgisinternal), '[]') as triggers
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'f', 'v', 'm') and ${OWN_SCHEMAS} and ${notOfExtension('pg_class', 'c.oid')}
 order by 1, 2`

const FUNCTIONS_SQL = `
select n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name,
       case when p.prokind = 'a' then 'aggregate' else pg_catalog.pg_get_functiondef(p.oid) end as definition
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
 where ${OWN_SCHEMAS} and ${notOfExtension('pg_proc', 'p.oid')}`

const TYPES_SQL = `
select n.nspname || '.' || t.typname as name,
       t.typtype::text || coalesce((select ' ' || pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
           from pg_catalog.pg_enum e where e.enumtypid = t.oid), '')
         || case when t.typtype = 'd' then ' ' || pg_catalog.format_type(t.typbasetype, t.typtypmod) else '' end
         || coalesce((select ' ' || pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid), ' ' order by k.conname)
           from pg_catalog.pg_constraint k where k.contypid = t.oid), '')
         || coalesce((select ' ' || pg_catalog.string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
           from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '') as definition
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_class c on c.oid = t.typrelid
 where (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c')) and ${OWN_SCHEMAS}
   and ${notOfExtension('pg_type', 't.oid')}`

const EXTENSIONS_SQL = `select extname as name, extversion as definition from pg_catalog.pg_extension`

interface Named {
  readonly name: string
  readonly definition: string
}

export async function readSchema(client: Client): Promise<SchemaFacts> {
  const tables = await client.query<TableFact>(TABLES_SQL)
  const named = async (sql: string): Promise<ReadonlyMap<string, string>> => {
    const answer = await client.query<Named>(sql)
    return new Map(answer.rows.map(row => [row.name, row.definition]))
  }
  return {
    tables: new Map(tables.rows.map(row => [`${row.schema}.${row.name}`, row])),
    functions: await named(FUNCTIONS_SQL),
    types: await named(TYPES_SQL),
    extensions: await named(EXTENSIONS_SQL),
  }
}
