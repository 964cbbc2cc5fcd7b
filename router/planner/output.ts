import type { Node, ResTarget } from '@pgsql/types'
import type { Analysis } from './analysis.ts'
import { NULL_KEY, standaloneKey } from './constants.ts'
import { columnOf } from './expressions.ts'
import { type Columns, findItem, type Level, type OutputColumn, visibleColumns } from './scope.ts'
import { names } from './walk.ts'

/** An output column before it is seen from outside; `inner` is the node it shows, or -1. */
export interface Target {
  /** Null: Postgres gives it a name that is not worked out here. */
  readonly name: string | null
  readonly inner: number
  /** The column belongs to this query, so a condition from outside can reach its table. */
  readonly own: boolean
}

const UNNAMED = '?column?'

/** FigureColname of parse_target.c, for the expressions whose name is plain to see. */
function nameOf(expression: Node | undefined): string | null {
  if (expression === undefined) return null
  if ('ColumnRef' in expression) return names(expression.ColumnRef.fields).at(-1) ?? null
  if ('FuncCall' in expression) return names(expression.FuncCall.funcname).at(-1) ?? null
  if ('CoalesceExpr' in expression) return 'coalesce'
  if ('CollateClause' in expression) return nameOf(expression.CollateClause.arg)
  if ('TypeCast' in expression) {
    const inner = nameOf(expression.TypeCast.arg)
    return inner === null || inner !== UNNAMED ? inner : (names(expression.TypeCast.typeName?.names).at(-1) ?? null)
  }
  if ('A_Expr' in expression) return expression.A_Expr.kind === 'AEXPR_NULLIF' ? 'nullif' : UNNAMED
  const unnamed = ['A_Const', 'ParamRef', 'BoolExpr', 'NullTest', 'BooleanTest']
  return unnamed.some(tag => tag in expression) ? UNNAMED : null
}

function starColumns(path: readonly string[], level: Level): Columns {
  if (path.length === 0) return visibleColumns(level.items)
  const found = findItem(path, level)
  return found?.own === true ? found.item : { columns: [], open: true }
}

function constantNode(a: Analysis, expression: Node | undefined): number {
  const constant = standaloneKey(a, expression)
  if (constant === null || constant.key === NULL_KEY) return -1
  const node = a.graph.node(constant.family)
  a.graph.pin(node, [constant.key])
  return node
}

/** Output columns of a SELECT list or RETURNING. `open` when a star covers columns that are not known. */
export function targets(
  a: Analysis,
  list: readonly Node[] | undefined,
  level: Level,
): { readonly targets: readonly Target[]; readonly open: boolean } {
  const found: Target[] = []
  let open = false
  for (const node of list ?? []) {
    if (!('ResTarget' in node)) continue
    const target: ResTarget = node.ResTarget
    const { val } = target
    const fields = val !== undefined && 'ColumnRef' in val ? (val.ColumnRef.fields ?? []) : []
    if (fields.some(field => 'A_Star' in field)) {
      const columns = starColumns(names(fields), level)
      open ||= columns.open
      for (const column of columns.columns) found.push({ name: column.name, inner: column.node, own: true })
      continue
    }
    // (composite).* expands to any number of columns.
    if (val !== undefined && 'A_Indirection' in val) open = true
    const column = columnOf(a, val, level)
    const inner = column === null ? constantNode(a, val) : column.node
    found.push({ name: target.name ?? nameOf(val), inner, own: column?.own === true })
  }
  return { targets: found, open }
}

/** The columns as seen from outside. What the query limits shows through; `passes` says where a condition may come in. */
export function outward(
  a: Analysis,
  list: readonly Target[],
  open: boolean,
  passes: (target: Target) => boolean,
): Columns {
  let unknown = open
  const columns = list.map((target): OutputColumn => {
    if (target.name === null) unknown = true
    const name = target.name ?? UNNAMED
    const family = target.inner < 0 ? null : a.graph.family(target.inner)
    if (family === null) return { name, node: -1 }
    const node = a.graph.node(family, a.graph.maxChars(target.inner))
    a.graph.edge(target.inner, node)
    if (target.own && passes(target)) a.graph.edge(node, target.inner)
    return { name, node }
  })
  // Positions stay right when only a name is unknown, but a name looked up may be the unknown one's.
  return { columns, open: unknown }
}
