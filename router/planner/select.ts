import type { LockingClause, Node, SelectStmt } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { NULL_KEY, standaloneKey } from './constants.ts'
import { conjuncts } from './equalities.ts'
import { walkExpression } from './expressions.ts'
import { fromItem, type Locks } from './from.ts'
import { passesThrough } from './obstacles.ts'
import { outward, targets } from './output.ts'
import { type Columns, type Item, type Level, type OutputColumn } from './scope.ts'
import { createInto } from './into.ts'
import { bindCtes, finishCtes } from './with.ts'

/**
 * Looks through a SELECT at all levels and returns its columns. `pass`: a condition on them from outside may limit the
 * tables inside, where nothing in the query forbids it.
 */
export function analyzeSelect(a: Analysis, select: SelectStmt, outer: Env, pass: boolean): Columns {
  const env = bindCtes(a, select.withClause, outer)
  const locks = locksOf(a, select.lockingClause, env)
  const clear = pass && locks === 'none' && !env.locked && limits(select) === 0
  let columns: Columns
  if (select.valuesLists !== undefined) columns = valuesColumns(a, select, env)
  else if (select.op !== undefined && select.op !== 'SETOP_NONE') columns = setOperation(a, select, env, clear)
  else columns = plainSelect(a, select, env, locks, clear)
  finishCtes(a, env, outer)
  return columns
}

/** LIMIT, OFFSET and FETCH choose among rows: what they choose depends on every row. */
function limits(select: SelectStmt): number {
  return (select.limitCount === undefined ? 0 : 1) + (select.limitOffset === undefined ? 0 : 1)
}

function locksOf(a: Analysis, clauses: readonly Node[] | undefined, env: Env): Locks {
  const found = (clauses ?? []).flatMap((node): LockingClause[] =>
    'LockingClause' in node ? [node.LockingClause] : [],
  )
  if (found.length === 0) return env.locked ? 'all' : 'none'
  a.writes = true
  a.unsafe = true
  const named = new Set<string>()
  for (const clause of found) {
    if (clause.lockedRels === undefined || clause.lockedRels.length === 0) return 'all'
    for (const rel of clause.lockedRels) if ('RangeVar' in rel) named.add(rel.RangeVar.relname ?? '')
  }
  return named
}

function plainSelect(a: Analysis, select: SelectStmt, env: Env, locks: Locks, clear: boolean): Columns {
  const items: Item[] = []
  for (const node of select.fromClause ?? []) items.push(...fromItem(a, node, items, env, locks))
  const level: Level = { items, parent: env.parent }
  conjuncts(a, select.whereClause, level, env, 'all')
  walkExpression(
    a,
    [
      select.targetList,
      select.distinctClause,
      select.groupClause,
      select.havingClause,
      select.windowClause,
      select.sortClause,
      select.limitCount,
      select.limitOffset,
    ],
    level,
    env,
  )
  if (select.intoClause !== undefined) createInto(a, select.intoClause, env)
  const list = targets(a, select.targetList, level)
  const passes = clear ? passesThrough(a, select, list.targets, list.open, level) : () => false
  return outward(a, list.targets, list.open, passes)
}

/** Columns of a set operation: limited where all branches are; a condition on them holds in each branch. */
function setOperation(a: Analysis, select: SelectStmt, env: Env, clear: boolean): Columns {
  const left = select.larg === undefined ? null : analyzeSelect(a, select.larg, env, clear)
  const right = select.rarg === undefined ? null : analyzeSelect(a, select.rarg, env, clear)
  walkExpression(a, [select.sortClause, select.limitCount, select.limitOffset], { items: [], parent: env.parent }, env)
  if (left === null || right === null) return { columns: [], open: true }
  const aligned = !left.open && !right.open && left.columns.length === right.columns.length
  const columns = left.columns.map((column, i): OutputColumn => {
    const other = right.columns[i]?.node ?? -1
    const family = column.node < 0 ? null : a.graph.family(column.node)
    if (!aligned || family === null || other < 0 || a.graph.family(other) !== family)
      return { name: column.name, node: -1 }
    const fits = Math.min(a.graph.maxChars(column.node), a.graph.maxChars(other))
    const maxChars = fits === 0 ? 0 : Math.max(a.graph.maxChars(column.node), a.graph.maxChars(other))
    const node = a.graph.node(family, maxChars)
    a.graph.merge([column.node, other], node)
    if (clear) {
      a.graph.edge(node, column.node)
      a.graph.edge(node, other)
    }
    return { name: column.name, node }
  })
  return { columns, open: left.open || right.open }
}

/** VALUES: a column of constants of one family is limited to them. */
function valuesColumns(a: Analysis, select: SelectStmt, env: Env): Columns {
  const lists = select.valuesLists ?? []
  walkExpression(
    a,
    [lists, select.sortClause, select.limitCount, select.limitOffset],
    { items: [], parent: env.parent },
    env,
  )
  const rows = lists.map(list => ('List' in list ? (list.List.items ?? []) : []))
  const width = rows[0]?.length ?? 0
  const columns: OutputColumn[] = []
  for (let i = 0; i < width; i++) {
    columns.push({
      name: `column${i + 1}`,
      node: valuesNode(
        a,
        rows.map(row => row[i]),
      ),
    })
  }
  return { columns, open: false }
}

function valuesNode(a: Analysis, cells: readonly (Node | undefined)[]): number {
  const constants = cells.map(cell => standaloneKey(a, cell))
  const family = constants[0]?.family
  // Mixed spellings are resolved to a common type by rules that this does not follow.
  if (family === undefined || constants.some(constant => constant?.family !== family)) return -1
  const keys = constants.flatMap(constant => (constant === null || constant.key === NULL_KEY ? [] : [constant.key]))
  if (keys.length === 0) return -1
  const node = a.graph.node(family)
  a.graph.pin(node, keys)
  return node
}
