import type { Node } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { castFamily } from './families.ts'
import { findColumn, type Found, type Level } from './scope.ts'
import { isAst, names } from './walk.ts'

/** Looks for subqueries in an expression, at any depth, and analyses each where it stands. */
export function walkExpression(a: Analysis, value: unknown, level: Level, env: Env): void {
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) walkExpression(a, item, level, env)
    return
  }
  if (!isAst(value)) return
  const select = value['SelectStmt']
  if (isAst(select)) {
    a.select(select, { ...env, parent: level, locked: false }, false)
    return
  }
  for (const key of Object.keys(value)) walkExpression(a, value[key], level, env)
}

/** The column that an expression is, casts looked through that keep the value. */
export function columnOf(a: Analysis, expression: Node | undefined, level: Level): Found | null {
  if (expression === undefined) return null
  if ('ColumnRef' in expression) {
    const fields = expression.ColumnRef.fields ?? []
    return fields.some(field => !('String' in field)) ? null : findColumn(names(fields), level)
  }
  if (!('TypeCast' in expression)) return null
  const family = castFamily(expression.TypeCast.typeName, false)
  if (family === null) return null
  const found = columnOf(a, expression.TypeCast.arg, level)
  return found !== null && a.graph.family(found.node) === family ? found : null
}

/** `=` of pg_catalog, unless the users have an operator of that name. */
export function isEquality(a: Analysis, operator: readonly Node[] | undefined): boolean {
  const path = names(operator)
  if (path[path.length - 1] !== '=' || path.length > 2) return false
  return path.length === 2 ? path[0] === 'pg_catalog' : a.derived.equalityTrusted
}
