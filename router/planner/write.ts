import type { DeleteStmt, MergeStmt, Node, UpdateStmt } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { conjuncts } from './equalities.ts'
import { walkExpression } from './expressions.ts'
import { fromItem } from './from.ts'
import { analyzeInsert } from './insert.ts'
import { firm } from './problems.ts'
import type { Columns, Item, Level } from './scope.ts'
import { bindCtes, finishCtes } from './with.ts'
import { newRows, refuseKeyChange, returning, writeTarget } from './write-target.ts'

/** INSERT, UPDATE, DELETE or MERGE, as a statement or in WITH; returns the columns of RETURNING. */
export function analyzeWrite(a: Analysis, statement: Node, env: Env): Columns {
  a.writes = true
  if ('InsertStmt' in statement) return analyzeInsert(a, statement.InsertStmt, env)
  if ('UpdateStmt' in statement) return updateOrDelete(a, statement.UpdateStmt, env, statement.UpdateStmt.fromClause)
  if ('DeleteStmt' in statement) return updateOrDelete(a, statement.DeleteStmt, env, statement.DeleteStmt.usingClause)
  if ('MergeStmt' in statement) return merge(a, statement.MergeStmt, env)
  a.useAnything(true)
  a.problem(firm('this kind of statement in WITH', 'Run it as a statement of its own.'))
  return { columns: [], open: true }
}

function updateOrDelete(
  a: Analysis,
  statement: UpdateStmt | DeleteStmt,
  outer: Env,
  from: readonly Node[] | undefined,
): Columns {
  const env = bindCtes(a, statement.withClause, outer)
  const items: Item[] = []
  const target = statement.relation === undefined ? null : writeTarget(a, statement.relation, env, 'update')
  const relation = target?.relation ?? null
  if (target !== null) items.push(target.item)
  for (const node of from ?? []) items.push(...fromItem(a, node, items, env, 'none'))
  const level: Level = { items, parent: env.parent }
  conjuncts(a, statement.whereClause, level, env, 'all')
  let returned = level
  if ('targetList' in statement) {
    refuseKeyChange(a, relation, statement.targetList)
    walkExpression(a, statement.targetList, level, env)
    returned = { ...level, items: items.map(each => (each === target?.item ? newRows(each, relation) : each)) }
  }
  const columns = returning(a, statement.returningClause, returned, env)
  finishCtes(a, env, outer)
  return columns
}

function merge(a: Analysis, statement: MergeStmt, outer: Env): Columns {
  const env = bindCtes(a, statement.withClause, outer)
  const items: Item[] = []
  if (statement.relation !== undefined) {
    const target = writeTarget(a, statement.relation, env, 'update')
    items.push(target.item)
    if (target.relation !== null) refusePlaced(a, target.relation, statement.relation.location ?? -1)
  }
  const before = a.instances.length
  if (statement.sourceRelation !== undefined) items.push(...fromItem(a, statement.sourceRelation, [], env, 'none'))
  if (a.instances.length > before) a.problem(mergeProblem('sharded tables', -1))
  const level: Level = { items, parent: env.parent }
  walkExpression(a, [statement.joinCondition, statement.mergeWhenClauses], level, env)
  const columns = returning(a, statement.returningClause, level, env)
  finishCtes(a, env, outer)
  return { ...columns, open: true }
}

function mergeProblem(what: string, position: number): ReturnType<typeof firm> {
  return firm(`MERGE with ${what}`, 'Write it as INSERT … ON CONFLICT, UPDATE or DELETE with the shard key.', position)
}

function refusePlaced(a: Analysis, relation: Relation, position: number): void {
  if (relation.placement.kind === 'local') return
  a.problem(mergeProblem(`${relation.placement.kind} table "${relation.name}"`, position))
}
