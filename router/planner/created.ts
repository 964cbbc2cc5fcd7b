import type { RangeVar } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { needsShard } from './problems.ts'

export function isTemporary(range: RangeVar): boolean {
  return range.relpersistence === 't' || range.schemaname === 'pg_temp'
}

/** A relation that a statement makes. */
export function checkCreated(a: Analysis, range: RangeVar, env: Env): void {
  a.visited.add(range)
  a.writes = true
  if (isTemporary(range)) {
    a.pinned('temporary table')
    a.needsTables()
    return
  }
  a.changesCatalog = true
  a.needsDefault = true
  a.defines = true
  a.useAnything(true)
  const name = range.relname ?? ''
  const schemas = range.schemaname === undefined ? env.names.searchPath : [range.schemaname]
  if (isDeclared(a, schemas, name)) a.problem(needsShard(`creating declared table "${name}"`, range.location ?? -1))
}

/** Declared in the configuration, or there already as a sharded or reference table. */
function isDeclared(a: Analysis, schemas: readonly string[], name: string): boolean {
  return schemas.some(schema => {
    if (a.derived.declared.has(`${schema}.${name}`)) return true
    const relation = a.catalog.relation(schema, name)
    return relation !== undefined && relation.placement.kind !== 'local'
  })
}
