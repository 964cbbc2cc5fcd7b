import type { JoinExpr } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { conjuncts, equate, type Targets } from './equalities.ts'
import { type Columns, type Found, type Item, type OutputColumn, renamed, visibleColumns } from './scope.ts'
import { names } from './walk.ts'

/** Whose rows an ON condition filters: in an outer join those of the nullable side, in a full join nobody's. */
function targetsOf(join: JoinExpr, left: readonly Item[], right: readonly Item[]): Targets {
  switch (join.jointype) {
    case 'JOIN_INNER':
      return 'all'
    case 'JOIN_LEFT':
      return new Set(right)
    case 'JOIN_RIGHT':
      return new Set(left)
    default:
      return new Set()
  }
}

/** The namespace that a join leaves, as transformFromClauseItem builds it, after its condition was looked at. */
export function joinItems(
  a: Analysis,
  join: JoinExpr,
  left: readonly Item[],
  right: readonly Item[],
  env: Env,
): Item[] {
  const targets = targetsOf(join, left, right)
  const leftColumns = visibleColumns(left)
  const rightColumns = visibleColumns(right)
  const shared = sharedNames(join, leftColumns, rightColumns)
  const merged = shared.map(name => mergeColumn(a, join, name, left, right, targets))
  const level = { items: [...left, ...right], parent: env.parent }
  conjuncts(a, join.quals, level, env, targets)

  const rest = (columns: Columns): OutputColumn[] => columns.columns.filter(column => !shared.includes(column.name))
  const all: Columns = {
    columns: [...merged, ...rest(leftColumns), ...rest(rightColumns)],
    open: leftColumns.open || rightColumns.open,
  }
  const own = { relation: null, columnsVisible: true }
  if (join.alias?.aliasname !== undefined) {
    const columns = renamed(all, names(join.alias.colnames))
    return [{ ...columns, ...own, alias: join.alias.aliasname, relationVisible: true }]
  }
  if (shared.length === 0 && join.isNatural !== true) return [...left, ...right]
  const sides = [...left, ...right].map(side => ({ ...side, columnsVisible: false }))
  const whole: Item = { ...all, ...own, alias: null, relationVisible: false }
  const using = join.join_using_alias?.aliasname
  if (using === undefined) return [...sides, whole]
  const named: Item = {
    columns: merged,
    open: false,
    alias: using,
    relation: null,
    relationVisible: true,
    columnsVisible: false,
  }
  return [...sides, whole, named]
}

function sharedNames(join: JoinExpr, left: Columns, right: Columns): string[] {
  if (join.isNatural !== true) return names(join.usingClause)
  const there = new Set(right.columns.map(column => column.name))
  return left.columns.map(column => column.name).filter(name => there.has(name))
}

function only(side: readonly Item[], name: string): Found | null {
  const holders = side.filter(item => item.columnsVisible && item.columns.some(column => column.name === name))
  const [holder] = holders
  if (holders.length !== 1 || holder === undefined) return null
  const columns = holder.columns.filter(column => column.name === name)
  const [column] = columns
  return columns.length === 1 && column !== undefined && column.node >= 0
    ? { node: column.node, own: true, item: holder }
    : null
}

/** A column of USING or NATURAL: an equality, and one column for both that has the preserved side's value. */
function mergeColumn(
  a: Analysis,
  join: JoinExpr,
  name: string,
  left: readonly Item[],
  right: readonly Item[],
  targets: Targets,
): OutputColumn {
  const l = only(left, name)
  const r = only(right, name)
  if (l === null || r === null || a.graph.family(l.node) !== a.graph.family(r.node)) return { name, node: -1 }
  if (!a.derived.equalityTrusted) return { name, node: -1 }
  equate(a, l, r, targets)
  if (join.jointype === 'JOIN_FULL') return { name, node: -1 }
  return { name, node: join.jointype === 'JOIN_RIGHT' ? r.node : l.node }
}
