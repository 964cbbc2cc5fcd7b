import type { A_Expr, Node, RangeVar, SelectStmt } from '@pgsql/types'
import type { Column, Relation } from '../../src/catalog/catalog.ts'
import type { Analysis } from './analysis.ts'
import { isEquality } from './expressions.ts'
import { names } from './walk.ts'

/** int8, int2, int4, text, varchar, uuid: reading a constant of these depends on no setting and no moment. pg_type.dat */
const PLAIN_TYPES: ReadonlySet<number> = new Set([20, 21, 23, 25, 1043, 2950])
const CLAUSES: ReadonlySet<string> = new Set(['targetList', 'fromClause', 'whereClause', 'limitOption', 'op'])

/**
 * True for SELECT of plain columns from one table by equality on a unique index: docs/internals/auto-prepare.md has the
 * reasons for each condition.
 */
export function isPreparable(a: Analysis, statement: Node | undefined): boolean {
  if (statement === undefined || !('SelectStmt' in statement)) return false
  const select = statement.SelectStmt
  const relation = tableOf(a, select)
  if (relation === null || select.whereClause === undefined) return false
  const targets = select.targetList ?? []
  if (targets.length === 0 || !targets.every(target => isColumnTarget(target, relation))) return false
  const equal = new Set<string>()
  let literals = 0
  for (const condition of conditions(select.whereClause)) {
    const found = 'A_Expr' in condition ? columnAndConstant(a, condition.A_Expr, relation) : null
    if (found === null) return false
    equal.add(found.column)
    if (found.literal) literals++
  }
  if (a.input.literals !== null && a.input.literals.count !== literals) return false
  return (relation.uniques ?? []).some(key => key.length > 0 && key.every(column => equal.has(column)))
}

function tableOf(a: Analysis, select: SelectStmt): Relation | null {
  const { context } = a.input
  if (context.temporary !== null && context.temporary.size > 0) return null
  if (Object.entries(select).some(([name, value]) => value !== undefined && !CLAUSES.has(name))) return null
  if (select.op !== undefined && select.op !== 'SETOP_NONE') return null
  const [from, ...others] = select.fromClause ?? []
  if (from === undefined || others.length > 0 || !('RangeVar' in from)) return null
  const relation = resolve(a, from.RangeVar)
  if (relation?.kind !== 'r' || relation.persistence !== 'p') return null
  return relation.hasRules || relation.rowSecurity ? null : relation
}

function resolve(a: Analysis, range: RangeVar): Relation | undefined {
  if (range.alias?.colnames !== undefined) return undefined
  const { schemaname, relname = '' } = range
  if (schemaname !== undefined && schemaname !== '') return a.catalog.relation(schemaname, relname)
  return a.catalog.resolve(relname, a.rootEnv().names.searchPath)
}

function isColumnTarget(target: Node, relation: Relation): boolean {
  if (!('ResTarget' in target)) return false
  const { val, indirection } = target.ResTarget
  if (val === undefined || indirection !== undefined || !('ColumnRef' in val)) return false
  const last = val.ColumnRef.fields?.at(-1)
  if (last === undefined) return false
  // Any other name may be a function in column notation.
  return 'A_Star' in last || columnNamed(relation, names([last])[0]) !== undefined
}

function columnNamed(relation: Relation, name: string | undefined): Column | undefined {
  return relation.columns.find(column => column.name === name)
}

function conditions(where: Node): readonly Node[] {
  if ('BoolExpr' in where && where.BoolExpr.boolop === 'AND_EXPR')
    return (where.BoolExpr.args ?? []).flatMap(conditions)
  return [where]
}

interface Compared {
  readonly column: string
  /** With a constant of the text's own, not a parameter. */
  readonly literal: boolean
}

function columnAndConstant(a: Analysis, expression: A_Expr, relation: Relation): Compared | null {
  if (expression.kind !== 'AEXPR_OP' || !isEquality(a, expression.name)) return null
  const { lexpr, rexpr } = expression
  return compared(a, lexpr, rexpr, relation) ?? compared(a, rexpr, lexpr, relation)
}

function compared(a: Analysis, left: Node | undefined, right: Node | undefined, relation: Relation): Compared | null {
  if (left === undefined || right === undefined || !('ColumnRef' in left)) return null
  const fields = left.ColumnRef.fields ?? []
  // Whatever qualifies it, it can only be this table's.
  if (fields.length === 0 || fields.some(field => !('String' in field))) return null
  const column = columnNamed(relation, names(fields).at(-1))
  if (column === undefined || !PLAIN_TYPES.has(column.type)) return null
  if ('ParamRef' in right) return { column: column.name, literal: false }
  return isPlainLiteral(a, right) ? { column: column.name, literal: true } : null
}

/** An integer or a string as it stands: a sign would stay behind in the text when the literal becomes a parameter. */
function isPlainLiteral(a: Analysis, node: Node): boolean {
  if (!('A_Const' in node)) return false
  const { ival, fval, sval, location = 0 } = node.A_Const
  if (sval === undefined && ival === undefined && !/^\d+$/.test(fval?.fval ?? '')) return false
  const { literals } = a.input
  if (literals === null) return true
  const index = literals.indexAt(location)
  return index >= 0 && literals.starts[index] === location
}
