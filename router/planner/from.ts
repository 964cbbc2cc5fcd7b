import type { JoinExpr, Node, RangeFunction, RangeSubselect, RangeVar } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { walkExpression } from './expressions.ts'
import { joinItems } from './join.ts'
import { resolveRange } from './names.ts'
import { type Columns, type Item, type Level, renamed } from './scope.ts'
import { keyNodeOf, readRelation, relationColumns } from './uses.ts'
import { viewColumns } from './views.ts'
import { cteColumns, findCte, tooLarge } from './with.ts'
import { names } from './walk.ts'

/** Which FROM items FOR UPDATE or SHARE locks. */
export type Locks = 'none' | 'all' | ReadonlySet<string>

export function item(columns: Columns, alias: string | null, relation: Relation | null = null): Item {
  return { ...columns, alias, relation, relationVisible: alias !== null, columnsVisible: true }
}

export const OPEN: Columns = { columns: [], open: true }

function isLocked(locks: Locks, name: string, env: Env): boolean {
  return env.locked || locks === 'all' || (locks !== 'none' && locks.has(name))
}

/** Namespace entries of one FROM item. `before`: items to its left, which LATERAL may name. */
export function fromItem(a: Analysis, node: Node, before: readonly Item[], env: Env, locks: Locks): Item[] {
  if (!a.spend()) {
    tooLarge(a)
    return [item(OPEN, null)]
  }
  if ('RangeVar' in node) return [rangeItem(a, node.RangeVar, env, locks)]
  if ('RangeSubselect' in node) return [subselectItem(a, node.RangeSubselect, before, env, locks)]
  if ('JoinExpr' in node) return joinExpression(a, node.JoinExpr, before, env, locks)
  const lateral: Level = { items: before, parent: env.parent }
  if ('RangeFunction' in node) return [functionItem(a, node.RangeFunction, lateral, env)]
  if ('RangeTableSample' in node) {
    walkExpression(a, node.RangeTableSample.args, lateral, env)
    walkExpression(a, node.RangeTableSample.repeatable, lateral, env)
    const { relation } = node.RangeTableSample
    return relation === undefined ? [item(OPEN, null)] : fromItem(a, relation, before, env, locks)
  }
  // XMLTABLE, JSON_TABLE and whatever comes later: columns unknown, subqueries inside looked at.
  walkExpression(a, node, lateral, env)
  const [body] = Object.values(node) as { alias?: { aliasname?: string } }[]
  return [item(OPEN, body?.alias?.aliasname ?? null)]
}

function rangeItem(a: Analysis, range: RangeVar, env: Env, locks: Locks): Item {
  const name = range.alias?.aliasname ?? range.relname ?? ''
  const aliases = names(range.alias?.colnames)
  const unqualified = range.schemaname === undefined
  const cte = unqualified ? findCte(env.ctes, range.relname ?? '') : null
  if (cte !== null) {
    a.visited.add(range)
    return item(renamed(cteColumns(a, cte), aliases), name)
  }
  const inner: Env = { ...env, locked: isLocked(locks, name, env) }
  const { columns, relation } = rangeColumns(a, range, inner)
  return item(renamed(columns, aliases), name, range.alias === undefined ? relation : null)
}

function rangeColumns(a: Analysis, range: RangeVar, env: Env): { columns: Columns; relation: Relation | null } {
  const resolved = resolveRange(a, range, env.names)
  const position = env.names.view ? -1 : (range.location ?? 0)
  switch (resolved.kind) {
    case 'view':
      return { columns: viewColumns(a, resolved.relation, env, position), relation: resolved.relation }
    case 'sharded':
    case 'reference':
    case 'local': {
      const columns = relationColumns(a, resolved.relation)
      readRelation(a, resolved.relation, keyNodeOf(resolved.relation, columns), env, position)
      return { columns, relation: resolved.relation }
    }
    case 'unknown':
      // Newer than the snapshot, or a mistake that the server will name.
      a.needsTables()
      a.useAnything(false)
      return { columns: OPEN, relation: null }
    default:
      a.needsDefault = true
      a.unsafe = true
      return { columns: OPEN, relation: null }
  }
}

function subselectItem(a: Analysis, range: RangeSubselect, before: readonly Item[], env: Env, locks: Locks): Item {
  const alias = range.alias?.aliasname ?? null
  const select = range.subquery
  if (select === undefined || !('SelectStmt' in select)) return item(OPEN, alias)
  const parent = range.lateral === true ? { items: before, parent: env.parent } : env.parent
  const inner: Env = { ...env, parent, locked: isLocked(locks, alias ?? '', env) }
  return item(renamed(a.select(select.SelectStmt, inner, true), names(range.alias?.colnames)), alias)
}

/** Columns of a function depend on its result type, which the tree does not tell. */
function functionItem(a: Analysis, range: RangeFunction, level: Level, env: Env): Item {
  walkExpression(a, range.functions, level, env)
  walkExpression(a, range.coldeflist, level, env)
  const first = range.functions?.[0]
  const call = first !== undefined && 'List' in first ? first.List.items?.[0] : undefined
  const own = call !== undefined && 'FuncCall' in call ? names(call.FuncCall.funcname).at(-1) : undefined
  return item(renamed(OPEN, names(range.alias?.colnames)), range.alias?.aliasname ?? own ?? null)
}

function joinExpression(a: Analysis, join: JoinExpr, before: readonly Item[], env: Env, locks: Locks): Item[] {
  if (join.larg === undefined || join.rarg === undefined) return [item(OPEN, null)]
  const alias = join.alias?.aliasname
  // FOR UPDATE OF a join's alias locks both sides.
  const inner: Locks = alias !== undefined && isLocked(locks, alias, env) ? 'all' : locks
  const left = fromItem(a, join.larg, before, env, inner)
  const right = fromItem(a, join.rarg, [...before, ...left], env, inner)
  return joinItems(a, join, left, right, env)
}
