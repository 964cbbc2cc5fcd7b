import type { A_Expr, BoolExpr, Node, SubLink } from '@pgsql/types'
import type { KeySource } from '../plan.ts'
import type { Analysis, Env } from './analysis.ts'
import { arrayKeys, listKeys } from './constants.ts'
import { columnOf, isEquality, walkExpression } from './expressions.ts'
import type { Found, Item, Level } from './scope.ts'

/** Whose rows a condition filters: all of the level's in WHERE and inner joins, one side's in an outer join's ON. */
export type Targets = 'all' | ReadonlySet<Item>

type Pins = Map<number, KeySource[]>

function isTarget(found: Found, targets: Targets): boolean {
  return found.own && (targets === 'all' || targets.has(found.item))
}

/** Equality of two columns: what the one is limited to limits the other, in the directions that the join allows. */
export function equate(a: Analysis, left: Found, right: Found, targets: Targets): void {
  const family = a.graph.family(left.node)
  if (family === null || family !== a.graph.family(right.node)) return
  if (isTarget(right, targets)) a.graph.edge(left.node, right.node)
  if (isTarget(left, targets)) a.graph.edge(right.node, left.node)
}

/** Conditions that hold together. Everything in them is looked through for subqueries as well. */
export function conjuncts(a: Analysis, condition: Node | undefined, level: Level, env: Env, targets: Targets): void {
  if (condition === undefined) return
  if ('BoolExpr' in condition && condition.BoolExpr.boolop === 'AND_EXPR') {
    for (const part of condition.BoolExpr.args ?? []) conjuncts(a, part, level, env, targets)
    return
  }
  if ('SubLink' in condition && matchSubquery(a, condition.SubLink, level, env, targets)) return
  for (const [node, sources] of pinsOf(a, condition, level, targets)) a.graph.pin(node, sources)
  if ('A_Expr' in condition) equateColumns(a, condition.A_Expr, level, targets)
  walkExpression(a, condition, level, env)
}

function equateColumns(a: Analysis, expression: A_Expr, level: Level, targets: Targets): void {
  if (expression.kind !== 'AEXPR_OP' || !isEquality(a, expression.name)) return
  const { lexpr, rexpr } = expression
  for (const [x, y] of pairs(lexpr, rexpr)) {
    const left = columnOf(a, x, level)
    const right = columnOf(a, y, level)
    if (left !== null && right !== null) equate(a, left, right, targets)
  }
}

/** (a, b) = (c, d) as a = c and b = d. */
function pairs(left: Node | undefined, right: Node | undefined): (readonly [Node, Node])[] {
  if (left === undefined || right === undefined) return []
  if (!('RowExpr' in left) && !('RowExpr' in right)) return [[left, right]]
  if (!('RowExpr' in left) || !('RowExpr' in right)) return []
  const lefts = left.RowExpr.args ?? []
  const rights = right.RowExpr.args ?? []
  if (lefts.length !== rights.length) return []
  return lefts.flatMap((x, i) => {
    const y = rights[i]
    return y === undefined ? [] : [[x, y] as const]
  })
}

/** Columns that a condition limits to constants. */
function pinsOf(a: Analysis, condition: Node, level: Level, targets: Targets): Pins {
  if ('BoolExpr' in condition) return boolPins(a, condition.BoolExpr, level, targets)
  const pins: Pins = new Map()
  if (!('A_Expr' in condition) || !isEquality(a, condition.A_Expr.name)) return pins
  const { kind, lexpr, rexpr } = condition.A_Expr
  if (kind === 'AEXPR_OP') {
    for (const [x, y] of pairs(lexpr, rexpr)) {
      pinColumn(a, pins, x, [y], level, targets)
      pinColumn(a, pins, y, [x], level, targets)
    }
  } else if (kind === 'AEXPR_IN' && rexpr !== undefined && 'List' in rexpr) {
    pinList(a, pins, lexpr, rexpr.List.items ?? [], level, targets)
  } else if (kind === 'AEXPR_OP_ANY') {
    const found = columnOf(a, lexpr, level)
    const family = found === null ? null : a.graph.family(found.node)
    if (found === null || family === null || !isTarget(found, targets)) return pins
    const keys = arrayKeys(a, rexpr, family)
    if (keys !== null) pins.set(found.node, keys)
  }
  return pins
}

function pinList(
  a: Analysis,
  pins: Pins,
  left: Node | undefined,
  items: readonly Node[],
  level: Level,
  targets: Targets,
): void {
  if (left === undefined || !('RowExpr' in left)) {
    pinColumn(a, pins, left, items, level, targets)
    return
  }
  const rows = items.map(item => pairs(left, item))
  if (rows.some(row => row.length === 0)) return
  for (const [i, x] of (left.RowExpr.args ?? []).entries()) {
    const values = rows.map(row => row[i]?.[1]).filter(value => value !== undefined)
    pinColumn(a, pins, x, values, level, targets)
  }
}

function pinColumn(
  a: Analysis,
  pins: Pins,
  column: Node | undefined,
  values: readonly Node[],
  level: Level,
  targets: Targets,
): void {
  const found = columnOf(a, column, level)
  const family = found === null ? null : a.graph.family(found.node)
  if (found === null || family === null || !isTarget(found, targets)) return
  const keys = listKeys(a, values, family)
  if (keys !== null) pins.set(found.node, [...(pins.get(found.node) ?? []), ...keys])
}

/** AND limits what any part limits; OR only what every branch limits, to all their values together. */
function boolPins(a: Analysis, bool: BoolExpr, level: Level, targets: Targets): Pins {
  const pins: Pins = new Map()
  if (bool.boolop === 'NOT_EXPR') return pins
  const parts = (bool.args ?? []).map(part => pinsOf(a, part, level, targets))
  if (bool.boolop === 'AND_EXPR') {
    for (const part of parts) for (const [node, keys] of part) pins.set(node, [...(pins.get(node) ?? []), ...keys])
    return pins
  }
  for (const [node] of parts[0] ?? []) {
    const branches = parts.map(part => part.get(node))
    if (branches.every(keys => keys !== undefined))
      pins.set(
        node,
        branches.flatMap(keys => keys ?? []),
      )
  }
  return pins
}

/** x IN (SELECT …) as a condition: rows of the subquery matter only where they equal x, and x must be one of them. */
function matchSubquery(a: Analysis, link: SubLink, level: Level, env: Env, targets: Targets): boolean {
  if (link.subLinkType !== 'ANY_SUBLINK' || link.subselect === undefined) return false
  if (!('SelectStmt' in link.subselect)) return false
  if (link.operName === undefined ? !a.derived.equalityTrusted : !isEquality(a, link.operName)) return false
  walkExpression(a, link.testexpr, level, env)
  const inner: Env = { ...env, parent: level, locked: false }
  const output = a.select(link.subselect.SelectStmt, inner, true)
  const { testexpr } = link
  const tests = testexpr === undefined ? [] : 'RowExpr' in testexpr ? (testexpr.RowExpr.args ?? []) : [testexpr]
  if (output.open || tests.length !== output.columns.length) return true
  for (const [i, test] of tests.entries()) {
    const found = columnOf(a, test, level)
    const node = output.columns[i]?.node ?? -1
    if (found === null || node < 0) continue
    const family = a.graph.family(found.node)
    if (family === null || a.graph.family(node) !== family) continue
    a.graph.edge(found.node, node)
    if (isTarget(found, targets)) a.graph.edge(node, found.node)
  }
  return true
}
