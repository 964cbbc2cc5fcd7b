/**
 * What a database's own catalog says, as one immutable, JSON-serialisable snapshot. Read by the control user from
 * default_shard's primary (`load.ts`), sent to every worker, renewed when DDL passes and by a poll.
 */
import type { KeyType } from '../../router/plan.ts'

export type Placement =
  | { readonly kind: 'sharded'; readonly column: string; readonly type: KeyType; readonly maxChars: number }
  | { readonly kind: 'reference' }
  /** On default_shard only. */
  | { readonly kind: 'local' }

export interface Column {
  readonly name: string
  /** Type OID on default_shard. */
  readonly type: number
  readonly notNull: boolean
  /** The default draws from a sequence (serial, identity): not unique over shards. */
  readonly generated: boolean
  /** The default's expression calls a function that is volatile. */
  readonly volatileDefault: boolean
}

export interface Relation {
  /** OID on default_shard; what marks and plans call the relation. */
  readonly id: number
  readonly schema: string
  readonly name: string
  /** pg_class.relkind: r p v m f S i c t I */
  readonly kind: string
  /** pg_class.relpersistence: p u t */
  readonly persistence: string
  readonly columns: readonly Column[]
  /** Declared placement; partitions and children have their parent's. Views have `local` and are looked through. */
  readonly placement: Placement
  /** pg_get_viewdef for views and materialized views, else null. */
  readonly definition: string | null
  /** Functions that triggers, rules, policies, defaults, checks and generated columns of the relation may run (ids). */
  readonly functions: readonly number[]
  readonly hasTriggers: boolean
  readonly hasRules: boolean
  readonly rowSecurity: boolean
  /** Parent of a partition or child, else 0. */
  readonly parent: number
  /** Foreign keys that point here or from here, as ids of the other relation, with the action on delete/update. */
  readonly references: readonly number[]
  readonly referencedBy: readonly number[]
  /** The table that an index belongs to. Absent: not known, or no index. */
  readonly table?: number
  /** Relations that its policies and rules name. Absent: not known. */
  readonly reaches?: readonly number[]
  /** Columns of each unique index that holds for all rows at any moment (no expressions, not partial, not deferrable). */
  readonly uniques?: ReadonlyArray<readonly string[]>
}

export interface Routine {
  readonly id: number
  readonly schema: string
  readonly name: string
  /** f function, p procedure, a aggregate, w window */
  readonly kind: string
  /** i immutable, s stable, v volatile */
  readonly volatility: string
  readonly language: string
  /** Body text for sql and plpgsql, else null. */
  readonly body: string | null
  /** Created by an extension. */
  readonly extension: boolean
  readonly securityDefiner: boolean
  /** Names of settings in its SET clauses. */
  readonly settings: readonly string[]
}

/** OIDs of one shard where they differ from default_shard's: shard's own → default_shard's. */
export interface OidMap {
  readonly types: ReadonlyArray<readonly [number, number]>
  readonly relations: ReadonlyArray<readonly [number, number]>
}

export interface Catalog {
  readonly database: string
  /** Grows with each change seen. */
  readonly version: number
  /** server_version_num of default_shard's primary. */
  readonly serverVersion: number
  readonly encoding: string
  /** search_path of a new session of `server_user`, schemas in order ("$user" resolved when it exists). */
  readonly searchPath: readonly string[]
  /** All relations outside pg_catalog, information_schema and pg_toast. */
  readonly relations: readonly Relation[]
  /** All routines outside pg_catalog and information_schema. */
  readonly routines: readonly Routine[]
  /** Operators and casts outside pg_catalog that run a routine: operator name (without schema) → routine ids. */
  readonly operators: ReadonlyArray<readonly [string, readonly number[]]>
  /** Type name (without schema) → ids of routines behind its domain checks, input and cast functions outside pg_catalog. */
  readonly types: ReadonlyArray<readonly [string, readonly number[]]>
  /** Names of pg_catalog functions that are volatile on this server version. */
  readonly volatileBuiltins: readonly string[]
  readonly schemas: readonly string[]
  /** Routines that the configuration declares `local = true`, as name or schema.name. */
  readonly localRoutines?: readonly string[]
  /** schema.name of the tables that the configuration declares sharded or reference, whether or not they exist. */
  readonly declared?: readonly string[]
  /** By shard name; absent or empty where all OIDs agree. */
  readonly oids: Readonly<Record<string, OidMap>>
}
