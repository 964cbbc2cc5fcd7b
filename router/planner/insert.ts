import type { InsertStmt, Node, SelectStmt } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { NULL_KEY, scalarKey } from './constants.ts'
import { walkExpression } from './expressions.ts'
import { item } from './from.ts'
import type { KeySource } from '../plan.ts'
import { firm, noKey } from './problems.ts'
import type { Columns, Level } from './scope.ts'
import { assigned, refuseKeyChange, returning, writeTarget } from './write-target.ts'
import { bindCtes, finishCtes } from './with.ts'

export function analyzeInsert(a: Analysis, insert: InsertStmt, outer: Env): Columns {
  const env = bindCtes(a, insert.withClause, outer)
  if (insert.relation === undefined) return { columns: [], open: true }
  const target = writeTarget(a, insert.relation, env, 'insert', insert.onConflictClause)
  const { relation } = target
  const select =
    insert.selectStmt !== undefined && 'SelectStmt' in insert.selectStmt ? insert.selectStmt.SelectStmt : null
  const output = select === null ? null : rowSource(a, select, env)
  if (relation?.placement.kind === 'sharded') placeRows(a, relation, insert, select, output)

  const level: Level = { items: [target.item], parent: env.parent }
  const conflict = insert.onConflictClause
  if (conflict !== undefined) {
    const excluded = item(
      { ...target.item, columns: target.item.columns.map(({ name }) => ({ name, node: -1 })) },
      'excluded',
    )
    const both: Level = { items: [target.item, { ...excluded, columnsVisible: false }], parent: env.parent }
    walkExpression(a, [conflict.infer, conflict.targetList, conflict.whereClause], both, env)
    refuseKeyChange(a, relation, conflict.targetList)
  }
  const columns = returning(a, insert.returningClause, level, env)
  finishCtes(a, env, outer)
  return columns
}

/** Columns of the rows to insert; null for VALUES, whose expressions take the target's types. */
function rowSource(a: Analysis, select: SelectStmt, env: Env): Columns | null {
  const isValues = select.valuesLists !== undefined
  const columns = a.select(select, env, true)
  return isValues ? null : columns
}

/** Finds where the rows' key stands. What is not found is refused: a row is never placed by a guess. */
function placeRows(
  a: Analysis,
  relation: Relation,
  insert: InsertStmt,
  select: SelectStmt | null,
  output: Columns | null,
): void {
  if (relation.placement.kind !== 'sharded') return
  const { column, type, maxChars } = relation.placement
  const position = insert.relation?.location ?? -1
  const listed = assigned(insert.cols)
  const order = listed.length > 0 ? listed : relation.columns.map(({ name }) => name)
  const width = rowWidth(select, output)
  const given = order.slice(0, width ?? order.length)
  refuseGenerated(a, relation, given, position)
  const index = given.indexOf(column)
  if (index < 0) {
    if (!isGenerated(relation, column)) a.problem(noKey(relation.name, column, position))
    return
  }
  const node = a.graph.node(type)
  if (select?.valuesLists !== undefined) {
    const fails = pinRows(a, relation, select.valuesLists, given, index, node)
    a.instances.push({ relation, node, position, fails, inserted: true })
    return
  }
  a.instances.push({ relation, node, position, fails: false, inserted: true })
  if (select === null || output === null) return
  const constant = constantTarget(a, select, index, type, maxChars)
  if (constant !== null) {
    a.graph.pin(node, [constant])
    return
  }
  // The source's condition says nothing of a NULL, which an outer join may put in its place: only NOT NULL stops that.
  if (!isNotNull(relation, column)) return
  const source = output.columns[index]?.node ?? -1
  if (width === null || source < 0 || a.graph.family(source) !== type) return
  // varchar(n) cuts blanks off longer values, so what is selected must be known to fit.
  const fits = a.graph.maxChars(source)
  if (maxChars > 0 && (fits === 0 || fits > maxChars)) return
  a.graph.edge(source, node)
}

/** Columns that each row has, or null when that is not known. */
function rowWidth(select: SelectStmt | null, output: Columns | null): number | null {
  if (select === null) return 0
  const [first] = select.valuesLists ?? []
  if (first !== undefined) return 'List' in first ? (first.List.items?.length ?? 0) : 0
  if (output === null || (output.open && hasStar(select))) return null
  return output.columns.length
}

function hasStar(select: SelectStmt): boolean {
  if (select.targetList === undefined) return true
  return select.targetList.some(node => {
    const val = 'ResTarget' in node ? node.ResTarget.val : undefined
    if (val === undefined) return true
    if ('A_Indirection' in val) return true
    return 'ColumnRef' in val && (val.ColumnRef.fields ?? []).some(field => 'A_Star' in field)
  })
}

function isNotNull(relation: Relation, name: string): boolean {
  return relation.columns.find(column => column.name === name)?.notNull === true
}

function isGenerated(relation: Relation, name: string): boolean {
  return relation.columns.find(column => column.name === name)?.generated === true
}

function generatedProblem(relation: Relation, name: string, position: number): ReturnType<typeof firm> {
  const hint = `Give column "${name}" a value: its sequence is not unique over shards in this release.`
  return firm(`the generated key "${name}" of table "${relation.name}"`, hint, position)
}

function refuseGenerated(a: Analysis, relation: Relation, given: readonly string[], position: number): void {
  for (const { name, generated } of relation.columns) {
    if (generated && !given.includes(name)) a.problem(generatedProblem(relation, name, position))
  }
}

/** Pins the key of every row of VALUES; true when a NULL key makes the server answer 23502. */
function pinRows(
  a: Analysis,
  relation: Relation,
  lists: readonly Node[],
  given: readonly string[],
  index: number,
  node: number,
): boolean {
  if (relation.placement.kind !== 'sharded') return false
  const { column, type, maxChars } = relation.placement
  const notNull = isNotNull(relation, column)
  let fails = false
  const keys: KeySource[] = []
  for (const list of lists) {
    const cells = 'List' in list ? (list.List.items ?? []) : []
    for (const [i, cell] of cells.entries()) {
      const name = given[i]
      if (!('SetToDefault' in cell) || name === undefined) continue
      if (isGenerated(relation, name)) a.problem(generatedProblem(relation, name, cell.SetToDefault.location ?? -1))
      else if (i === index) a.problem(noKey(relation.name, column, cell.SetToDefault.location ?? -1))
    }
    const key = scalarKey(a, cells[index], type, maxChars)
    if (key === NULL_KEY && notNull) fails = true
    else if (key === NULL_KEY) a.problem(noKey(relation.name, column))
    else if (key !== null) keys.push(key)
    else a.problem(unreadable(relation, column))
  }
  if (keys.length > 0) a.graph.pin(node, keys)
  return fails
}

function unreadable(relation: Relation, column: string): ReturnType<typeof firm> {
  const hint = 'Give the key as a constant or a bound parameter of its type.'
  return firm(`a computed value for shard key "${column}" of table "${relation.name}"`, hint)
}

/** A constant in the SELECT list takes the target column's type. */
function constantTarget(
  a: Analysis,
  select: SelectStmt,
  index: number,
  type: 'int' | 'text' | 'uuid',
  maxChars: number,
): KeySource | null {
  if (select.op !== undefined && select.op !== 'SETOP_NONE') return null
  if (hasStar(select)) return null
  const target = select.targetList?.[index]
  const key = target !== undefined && 'ResTarget' in target ? scalarKey(a, target.ResTarget.val, type, maxChars) : null
  return key === NULL_KEY ? null : key
}
