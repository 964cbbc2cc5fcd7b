import type { Node } from '@pgsql/types'
import type { Catalog, Relation, Routine } from '../../src/catalog/catalog.ts'
import { tryParse } from './parse.ts'
import type { Reach } from './reach.ts'

/** Lookups over one catalog snapshot that only the planner needs; made once and kept as long as the snapshot. */
export class Derived {
  readonly catalog: Catalog
  readonly byName = new Map<string, Relation[]>()
  readonly byId = new Map<number, Relation>()
  readonly children = new Map<number, Relation[]>()
  readonly routineById = new Map<number, Routine>()
  readonly routinesByName = new Map<string, Routine[]>()
  readonly operators: ReadonlyMap<string, readonly number[]>
  readonly types: ReadonlyMap<string, readonly number[]>
  readonly volatileBuiltins: ReadonlySet<string>
  readonly localRoutines: ReadonlySet<string>
  /** schema.name of tables that the configuration declares, whether or not they exist. */
  readonly declared: ReadonlySet<string>
  readonly routineReach = new Map<number, Reach>()
  readonly relationReach = new Map<number, Reach>()
  /** False when `=` may be an operator of the users': it then says nothing about keys. */
  readonly equalityTrusted: boolean
  /** Views (v) and routines (f) whose reach is being worked out, outermost first. */
  readonly stack: string[] = []
  readonly #views = new Map<number, Node | null>()

  constructor(catalog: Catalog) {
    this.catalog = catalog
    for (const relation of catalog.relations) {
      this.byId.set(relation.id, relation)
      push(this.byName, relation.name, relation)
      if (relation.parent !== 0) push(this.children, relation.parent, relation)
    }
    for (const routine of catalog.routines) {
      this.routineById.set(routine.id, routine)
      push(this.routinesByName, routine.name, routine)
    }
    this.operators = new Map(catalog.operators)
    this.types = new Map(catalog.types)
    this.volatileBuiltins = new Set(catalog.volatileBuiltins)
    this.localRoutines = new Set(catalog.localRoutines ?? [])
    this.declared = new Set(catalog.declared ?? [])
    this.equalityTrusted = (this.operators.get('=') ?? []).every(id => this.routineById.get(id)?.extension === true)
  }

  /** A view's query, or null when it cannot be read. */
  viewQuery(relation: Relation): Node | null {
    let query = this.#views.get(relation.id)
    if (query === undefined) {
      const statements = relation.definition === null ? null : tryParse(relation.definition)
      query = statements?.length === 1 ? (statements[0] ?? null) : null
      this.#views.set(relation.id, query)
    }
    return query
  }

  /** The topmost ancestor: what marks call a partition or child. */
  root(relation: Relation): Relation {
    let at = relation
    for (let depth = 0; at.parent !== 0 && depth < 64; depth++) {
      const parent = this.byId.get(at.parent)
      if (parent === undefined) break
      at = parent
    }
    return at
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

const KNOWN = new WeakMap<Catalog, Derived>()

export function derivedOf(catalog: Catalog): Derived {
  let derived = KNOWN.get(catalog)
  if (derived === undefined) KNOWN.set(catalog, (derived = new Derived(catalog)))
  return derived
}
