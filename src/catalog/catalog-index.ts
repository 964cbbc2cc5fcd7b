/** Lookups over one catalog snapshot, made once per version. */
import type { Catalog, Relation, Routine } from './catalog.ts'

const NO_ROUTINES: readonly Routine[] = []
const NO_IDS: readonly number[] = []

export class CatalogIndex {
  readonly catalog: Catalog
  readonly #relations = new Map<string, Map<string, Relation>>()
  readonly #relationsById = new Map<number, Relation>()
  readonly #routines = new Map<string, Routine[]>()
  readonly #routinesById = new Map<number, Routine>()
  readonly #volatileBuiltins: ReadonlySet<string>
  readonly #operators: ReadonlyMap<string, readonly number[]>
  readonly #types: ReadonlyMap<string, readonly number[]>
  readonly #children = new Map<number, Relation[]>()

  constructor(catalog: Catalog) {
    this.catalog = catalog
    for (const schema of catalog.schemas) this.#relations.set(schema, new Map())
    for (const relation of catalog.relations) {
      let names = this.#relations.get(relation.schema)
      if (names === undefined) this.#relations.set(relation.schema, (names = new Map()))
      names.set(relation.name, relation)
      this.#relationsById.set(relation.id, relation)
      if (relation.parent !== 0) append(this.#children, relation.parent, relation)
    }
    for (const routine of catalog.routines) {
      append(this.#routines, routine.name, routine)
      this.#routinesById.set(routine.id, routine)
    }
    this.#volatileBuiltins = new Set(catalog.volatileBuiltins)
    this.#operators = new Map(catalog.operators)
    this.#types = new Map(catalog.types)
  }

  relation(schema: string, name: string): Relation | undefined {
    return this.#relations.get(schema)?.get(name)
  }

  /** An unqualified name. Tables in pg_catalog come before `searchPath`; the caller knows them by their prefix. */
  resolve(name: string, searchPath: readonly string[]): Relation | undefined {
    for (const schema of searchPath) {
      const found = this.#relations.get(schema)?.get(name)
      if (found !== undefined) return found
    }
    return undefined
  }

  relationById(id: number): Relation | undefined {
    return this.#relationsById.get(id)
  }

  /** Partitions and children, one level down. */
  children(id: number): readonly Relation[] {
    return this.#children.get(id) ?? []
  }

  /** All routines outside pg_catalog with this name, in any schema. */
  routines(name: string): readonly Routine[] {
    return this.#routines.get(name) ?? NO_ROUTINES
  }

  routineById(id: number): Routine | undefined {
    return this.#routinesById.get(id)
  }

  /** Routines behind user-defined operators of this name, any schema. */
  operatorRoutines(name: string): readonly number[] {
    return this.#operators.get(name) ?? NO_IDS
  }

  /** Routines behind the checks, casts and input of user-defined types of this name, any schema. */
  typeRoutines(name: string): readonly number[] {
    return this.#types.get(name) ?? NO_IDS
  }

  isVolatileBuiltin(name: string): boolean {
    return this.#volatileBuiltins.has(name)
  }

  hasSchema(name: string): boolean {
    return this.#relations.has(name)
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
