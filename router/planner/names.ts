import type { RangeVar } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, NameScope } from './analysis.ts'
import { firm, needsShard } from './problems.ts'

export type Resolved =
  | { readonly kind: 'sharded' | 'reference' | 'local' | 'view'; readonly relation: Relation }
  | { readonly kind: 'system' | 'temporary' | 'unknown' }

/** A server's statements are those of many clients, their literals among them. */
const PREPARED = 'pg_prepared_statements'
const SYSTEM = new Set(['pg_catalog', 'information_schema', 'pg_toast'])

function kindOf(relation: Relation): Resolved {
  if (relation.kind === 'v') return { kind: 'view', relation }
  return { kind: relation.placement.kind, relation }
}

function isTemporarySchema(schema: string): boolean {
  return schema === 'pg_temp' || schema.startsWith('pg_temp_') || schema.startsWith('pg_toast_temp')
}

/** What a name means where it stands. CTEs are looked up before this. */
export function resolveName(a: Analysis, schema: string | undefined, name: string, scope: NameScope): Resolved {
  if (schema !== undefined && schema !== '') {
    if (SYSTEM.has(schema)) return { kind: 'system' }
    if (isTemporarySchema(schema)) return { kind: 'temporary' }
    const relation = a.catalog.relation(schema, name)
    return relation === undefined ? { kind: 'unknown' } : kindOf(relation)
  }
  if (scope.temporary?.has(name) === true) return { kind: 'temporary' }
  const relation = a.catalog.resolve(name, scope.searchPath)
  if (relation !== undefined) return kindOf(relation)
  if (name.startsWith('pg_')) return { kind: 'system' }
  // Definitions come from the catalog with names as its reader's search_path made them: try that before giving up.
  const fallback = scope.view ? a.catalog.resolve(name, a.catalog.catalog.searchPath) : undefined
  return fallback === undefined ? { kind: 'unknown' } : kindOf(fallback)
}

export function resolveRange(a: Analysis, range: RangeVar, scope: NameScope): Resolved {
  a.visited.add(range)
  const name = range.relname ?? ''
  const resolved = resolveName(a, range.schemaname, name, scope)
  if (resolved.kind === 'system' && name === PREPARED) {
    const what = `the view ${PREPARED}, which shows what a server of the pool has for all its clients,`
    a.problem(needsShard(what, scope.view ? -1 : (range.location ?? -1)))
  }
  const hint = resolved.kind === 'unknown' ? unseenDeclared(a, range.schemaname, name, scope) : null
  if (hint !== null) {
    const position = scope.view ? -1 : (range.location ?? -1)
    a.problem(firm(`declared table "${name}", which the proxy does not see under this name,`, hint, position))
  }
  return resolved
}

/**
 * For a name that the snapshot lacks: why it may still mean a declared table, or null. The table is newer than the snapshot,
 * or the session's search_path is not what it is thought to be; default_shard would answer from a part of the rows.
 */
export function unseenDeclared(a: Analysis, schema: string | undefined, name: string, scope: NameScope): string | null {
  const { declared } = a.derived
  const schemas = schema !== undefined && schema !== '' ? [schema] : scope.searchPath
  if (schemas.some(each => declared.has(`${each}.${name}`))) {
    return 'The table is declared in the configuration but the proxy does not see it yet: create it, or try again.'
  }
  if (schemas === scope.searchPath) {
    for (const each of declared) {
      if (each.endsWith(`.${name}`))
        return `Table ${each} is declared, but the search_path leaves its schema out: name it.`
    }
  }
  return null
}

/** A child or partition, at any depth, that is placed otherwise than the table itself. */
export function strayChild(a: Analysis, relation: Relation, depth = 0): Relation | null {
  if (depth > 32) return null
  for (const child of a.derived.children.get(relation.id) ?? []) {
    if (child.placement.kind !== relation.placement.kind) return child
    const stray = strayChild(a, child, depth + 1)
    if (stray !== null) return stray
  }
  return null
}
