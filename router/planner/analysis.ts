import type { Node, SelectStmt } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import { type Derived, derivedOf } from './derived.ts'
import { Graph } from './graph.ts'
import type { SessionCommand } from '../plan.ts'
import type { Problem } from './problems.ts'
import type { Columns, Level } from './scope.ts'
import type { CatalogLookup, PlanInput } from './types.ts'
import type { CteScope } from './with.ts'

/** One appearance of a sharded table, which its key node must pin. */
export interface Instance {
  readonly relation: Relation
  readonly node: number
  readonly position: number
  /** The row comes with a NULL key into a NOT NULL column: any shard answers with 23502. */
  readonly fails: boolean
  /** A row to be placed: a hint cannot stand in for its key. */
  readonly inserted: boolean
}

export interface Use {
  readonly relation: number
  readonly write: boolean
  /** True when it is reached only through instances. */
  readonly keyed: boolean
}

/** How names are read at a place: a view's definition has its own rules. */
export interface NameScope {
  readonly searchPath: readonly string[]
  readonly temporary: ReadonlySet<string> | null
  readonly view: boolean
}

export interface Env {
  readonly parent: Level | null
  readonly ctes: CteScope | null
  readonly names: NameScope
  /** FOR UPDATE or SHARE of an outer query reaches in. */
  readonly locked: boolean
  /** Views being expanded, against definitions that name each other. */
  readonly depth: number
}

/**
 * The two ways into a query. Subqueries are reached from almost everywhere, so whoever meets one calls it through the
 * analysis instead of importing it.
 */
export interface Walkers {
  /** `pass`: a condition on the columns from outside may limit the tables inside, where nothing forbids it. */
  readonly select: (a: Analysis, select: SelectStmt, env: Env, pass: boolean) => Columns
  /** INSERT, UPDATE, DELETE or MERGE; the columns of RETURNING. */
  readonly write: (a: Analysis, statement: Node, env: Env) => Columns
}

/** FROM items of generated SQL; past it the statement is refused rather than analysed for seconds. */
const MAX_ITEMS = 4000

/** What is found out about one text: all statements write into the same one. */
export class Analysis {
  readonly input: PlanInput
  readonly #walkers: Walkers
  readonly several: boolean
  readonly derived: Derived
  readonly catalog: CatalogLookup
  readonly graph = new Graph()
  readonly instances: Instance[] = []
  readonly uses: Use[] = []
  readonly problems: Problem[] = []
  /** Routines that may run only in a statement pinned by keys. */
  readonly keyedRoutines: Problem[] = []
  /** RangeVars that were resolved; one left over means that a place was not looked at. */
  readonly visited = new Set<object>()
  parameters: ReadonlyMap<number, number> = new Map()
  needsDefault = false
  /** Some of what needs default_shard are tables that lie there alone: a shard hint cannot move it. */
  needsLocalTables = false
  /** Makes or changes definitions: a shard hint says whose. */
  defines = false
  /** Answers come from a server’s own catalog: default_shard answers, unless keys choose another. */
  needsCatalog = false
  /** NOTIFY: whoever listens through the proxy does so on every shard, anybody else perhaps on default_shard. */
  notifies = false
  writes = false
  unsafe = false
  changesCatalog = false
  exactOnly = false
  /** There is one statement in the text. */
  alone = true
  pin: string | null = null
  touchesPins = false
  /** Settings that functions among the statements set (set_config). */
  readonly sets: SessionCommand[] = []
  #items = 0

  constructor(input: PlanInput, walkers: Walkers) {
    this.input = input
    this.#walkers = walkers
    this.several = input.topology.shards.length > 1
    this.catalog = input.catalog
    this.derived = derivedOf(input.catalog.catalog)
  }

  rootEnv(): Env {
    const { searchPath, temporary } = this.input.context
    return {
      parent: null,
      ctes: null,
      names: { searchPath: searchPath ?? this.catalog.catalog.searchPath, temporary, view: false },
      locked: false,
      depth: 0,
    }
  }

  select(select: SelectStmt, env: Env, pass: boolean): Columns {
    return this.#walkers.select(this, select, env, pass)
  }

  query(query: Node, env: Env, pass: boolean): Columns {
    if ('SelectStmt' in query) return this.#walkers.select(this, query.SelectStmt, env, pass)
    return this.#walkers.write(this, query, env)
  }

  problem(problem: Problem): void {
    this.problems.push(problem)
  }

  use(relation: Relation, write: boolean, keyed: boolean): void {
    this.uses.push({ relation: this.derived.root(relation).id, write, keyed })
    if (write) this.writes = true
  }

  /** Something that is not known is read or written. */
  useAnything(write: boolean): void {
    this.uses.push({ relation: 0, write, keyed: false })
    this.unsafe = true
    if (write) this.writes = true
  }

  /** A table that is not declared is read or written. */
  needsTables(): void {
    this.needsDefault = true
    this.needsLocalTables = true
  }

  pinned(reason: string): void {
    this.pin ??= reason
    this.touchesPins = true
    this.unsafe = true
  }

  /** False once the statement is too large to be looked through. */
  spend(): boolean {
    return ++this.#items <= MAX_ITEMS
  }
}
