import type { Node, SelectStmt, WindowDef } from '@pgsql/types'
import type { Analysis } from './analysis.ts'
import { columnOf } from './expressions.ts'
import type { Target } from './output.ts'
import { hasColumn, type Level } from './scope.ts'
import { isAst, names } from './walk.ts'

/**
 * Whether a condition on an output column may be moved inside the query: every step between its rows and its output must
 * treat rows with different values of the column apart. The counterpart of subquery_is_pushdown_safe in allpaths.c.
 * LIMIT, locks and data-modifying parts are looked at by the caller. An aggregate without GROUP BY needs no check: beside
 * one, a plain column is an error.
 */
export function passesThrough(
  a: Analysis,
  select: SelectStmt,
  list: readonly Target[],
  open: boolean,
  level: Level,
): (target: Target) => boolean {
  const groups = select.groupClause ?? []
  if (groups.some(node => 'GroupingSet' in node)) return () => false
  const distinctOn = distinctExpressions(select)
  const groupNodes = groups.map(node => nodeOf(a, node, list, open, level, false))
  const distinctNodes = distinctOn.map(node => nodeOf(a, node, list, open, level, true))
  const windows = windowPartitions(a, select, level)
  return target =>
    (groups.length === 0 || groupNodes.includes(target.inner)) &&
    (distinctOn.length === 0 || distinctNodes.includes(target.inner)) &&
    windows.every(partition => partition.includes(target.inner))
}

/** Expressions of DISTINCT ON; plain DISTINCT has one empty entry and keeps rows apart by itself. */
function distinctExpressions(select: SelectStmt): readonly Node[] {
  return (select.distinctClause ?? []).filter(node => Object.keys(node).length > 0)
}

/** GROUP BY and DISTINCT ON may name an output column or its number (findTargetlistEntrySQL92). -1: no plain column. */
function nodeOf(
  a: Analysis,
  expression: Node,
  list: readonly Target[],
  open: boolean,
  level: Level,
  outputFirst: boolean,
): number {
  if ('A_Const' in expression) {
    a.exactOnly = true
    const place = expression.A_Const.ival?.ival ?? 0
    return open ? -1 : (list[place - 1]?.inner ?? -1)
  }
  const fields = 'ColumnRef' in expression ? (expression.ColumnRef.fields ?? []) : []
  const alias = fields.length === 1 ? names(fields)[0] : undefined
  const output = alias === undefined ? [] : list.filter(target => target.name === alias)
  const column = columnOf(a, expression, level)
  if (outputFirst && output.length > 0) return output.length === 1 ? (output[0]?.inner ?? -1) : -1
  if (outputFirst && alias !== undefined && open) return -1
  // GROUP BY takes a column of FROM before an output name, also one that carries no key.
  if (!outputFirst && alias !== undefined && !open && !hasColumn(level, alias)) {
    return output.length === 1 ? (output[0]?.inner ?? -1) : -1
  }
  return column?.own === true ? column.node : -1
}

/** Nodes of each window's PARTITION BY. */
function windowPartitions(a: Analysis, select: SelectStmt, level: Level): number[][] {
  const named = new Map<string, WindowDef>()
  for (const node of select.windowClause ?? []) {
    if ('WindowDef' in node) named.set(node.WindowDef.name ?? '', node.WindowDef)
  }
  const partitions: number[][] = []
  for (const over of windowsOf([select.targetList, select.sortClause, select.distinctClause])) {
    const expressions: Node[] = []
    let at: WindowDef | undefined = over
    for (let depth = 0; at !== undefined && depth < 16; depth++) {
      expressions.push(...(at.partitionClause ?? []))
      const next: string | undefined = at === over ? (at.name ?? at.refname) : at.refname
      at = next === undefined ? undefined : named.get(next)
    }
    partitions.push(expressions.map(expression => ownNode(a, expression, level)))
  }
  return partitions
}

function ownNode(a: Analysis, expression: Node, level: Level): number {
  const column = columnOf(a, expression, level)
  return column?.own === true ? column.node : -1
}

/** Window calls of this query, not of subqueries in it. */
function windowsOf(value: unknown, found: WindowDef[] = []): WindowDef[] {
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) windowsOf(item, found)
  } else if (isAst(value)) {
    const over = value['over']
    if (isAst(over)) found.push(over)
    for (const key of Object.keys(value)) if (key !== 'SelectStmt') windowsOf(value[key], found)
  }
  return found
}
