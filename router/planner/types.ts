import type { Catalog, Relation, Routine } from '../../src/catalog/catalog.ts'
import type { DatabaseTopology } from '../../src/topology/topology.ts'
import type { Literals } from '../literals.ts'
import type { Plan } from '../plan.ts'

/** What the planner asks of a catalog snapshot (src/catalog/catalog-index.ts has it). */
export interface CatalogLookup {
  readonly catalog: Catalog
  relation(schema: string, name: string): Relation | undefined
  resolve(name: string, searchPath: readonly string[]): Relation | undefined
  relationById(id: number): Relation | undefined
  routines(name: string): readonly Routine[]
  isVolatileBuiltin(name: string): boolean
}

/** What of a session decides how names are read. */
export interface NameContext {
  /** Null: the session's default, which the catalog knows. */
  readonly searchPath: readonly string[] | null
  readonly role: string
  readonly temporary: ReadonlySet<string> | null
  /** standard_conforming_strings is off: a backslash is an escape in every string. */
  readonly escapes?: boolean
  /** Hints of the session (SET shardway.shard, shardway.key): a comment in the text goes before them. */
  readonly hints?: ReadonlyMap<string, string>
}

export interface PlanInput {
  readonly text: string
  readonly bytes: Buffer
  readonly literals: Literals | null
  readonly catalog: CatalogLookup
  readonly topology: DatabaseTopology
  readonly context: NameContext
  readonly hints: ReadonlyMap<string, string>
}

export interface PlanOutput {
  readonly plan: Plan
  /** The plan depends on the text's own literals: it must not serve other texts of the same template. */
  readonly exactOnly: boolean
}
