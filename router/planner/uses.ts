import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { columnFamily } from './families.ts'
import { strayChild } from './names.ts'
import { firm } from './problems.ts'
import { relationReach, routineReachById } from './reach.ts'
import { applyReach } from './routines.ts'
import type { Columns } from './scope.ts'

/** Columns of a stored relation, with a node for each that can carry a key. */
export function relationColumns(a: Analysis, relation: Relation): Columns {
  const { placement } = relation
  const columns = relation.columns.map(column => {
    const family = columnFamily(relation, column)
    const isKey = placement.kind === 'sharded' && placement.column === column.name
    return { name: column.name, node: family === null ? -1 : a.graph.node(family, isKey ? placement.maxChars : 0) }
  })
  return { columns, open: false }
}

export function keyNodeOf(relation: Relation, columns: Columns): number {
  const { placement } = relation
  if (placement.kind !== 'sharded') return -1
  return columns.columns.find(column => column.name === placement.column)?.node ?? -1
}

/** Code that runs when the relation is read: policies. Their tables are not in the catalog, only their functions. */
function readThrough(a: Analysis, relation: Relation): void {
  if (!relation.rowSecurity) return
  for (const id of relation.functions) applyReach(a, routineReachById(a.derived, id), id)
  if (relation.reaches !== undefined) {
    for (const id of relation.reaches) reachRelation(a, id, relation)
    return
  }
  a.useAnything(false)
  if (relation.placement.kind === 'sharded') return
  const hint = 'Disable row security on the table, or move its check into the application.'
  a.problem(firm(`row security on table "${relation.name}", whose policies may read sharded tables,`, hint))
}

function reachRelation(a: Analysis, id: number, from: Relation): void {
  const target = a.derived.byId.get(id)
  if (target === undefined) return
  a.use(target, false, false)
  if (target.placement.kind === 'local') a.needsTables()
  if (target.placement.kind !== 'sharded' || from.placement.kind === 'sharded') return
  const hint = 'Such a policy would see the rows of one shard only.'
  a.problem(firm(`table "${from.name}", whose policies read sharded table "${target.name}",`, hint))
}

export function refuseStray(a: Analysis, relation: Relation, position: number): void {
  const stray = strayChild(a, relation)
  if (stray === null) return
  const hint = `Declare "${relation.name}" and its children alike, or use them one by one.`
  a.problem(firm(`table "${relation.name}", whose child "${stray.name}" is placed elsewhere,`, hint, position))
}

/** A sharded, reference or local relation that is read. A key node of -1 leaves a sharded one unpinned. */
export function readRelation(a: Analysis, relation: Relation, node: number, env: Env, position: number): void {
  if (relation.persistence !== 'p' || relation.kind === 'f' || relation.kind === 'S') a.unsafe = true
  refuseStray(a, relation, position)
  readThrough(a, relation)
  if (relation.placement.kind === 'sharded') {
    a.instances.push({ relation, node, position, fails: false, inserted: false })
    a.use(relation, false, true)
    return
  }
  a.use(relation, false, false)
  if (relation.placement.kind === 'local') {
    a.needsTables()
    if (relation.kind === 'm') readMaterialized(a, relation, position)
  } else if (env.locked) {
    lockReference(a, relation, position)
  }
}

export function lockReference(a: Analysis, relation: Relation, position: number): void {
  const hint = 'The lock would bind one copy only. Name the tables to lock: FOR UPDATE OF …'
  a.problem(firm(`locking rows of reference table "${relation.name}"`, hint, position))
}

function readMaterialized(a: Analysis, relation: Relation, position: number): void {
  const reach = relationReach(a.derived, relation)
  const sharded = [...reach.reads].some(id => a.derived.byId.get(id)?.placement.kind === 'sharded')
  if (!sharded && !reach.dynamic) return
  const hint = 'It holds the rows of one shard only. Query the tables with a shard key.'
  a.problem(firm(`materialized view "${relation.name}" over sharded tables`, hint, position))
}

/** A stored relation that is written, with what its triggers and foreign keys take along. */
export function writeRelation(a: Analysis, relation: Relation, keyed: boolean, cascades: boolean): void {
  a.use(relation, true, keyed)
  if (relation.persistence !== 'p') a.unsafe = true
  runWriteCode(a, relation)
  if (cascades) cascade(a, relation, new Set([relation.id]))
}

function runWriteCode(a: Analysis, relation: Relation): void {
  for (const id of relation.functions) applyReach(a, routineReachById(a.derived, id), id)
  if (!relation.hasRules) return
  a.useAnything(true)
  const hint = 'A rule may write other tables. Use a trigger, or write those tables directly.'
  a.problem(firm(`writing table "${relation.name}", which has rules,`, hint))
}

/** Rows that foreign keys change along: which of them is not in the text, so whole tables are marked. */
function cascade(a: Analysis, relation: Relation, seen: Set<number>): void {
  for (const id of relation.referencedBy) {
    if (seen.has(id)) continue
    seen.add(id)
    const other = a.derived.byId.get(id)
    if (other === undefined) {
      a.useAnything(true)
      continue
    }
    a.use(other, true, false)
    runWriteCode(a, other)
    cascade(a, other, seen)
  }
  for (const child of a.derived.children.get(relation.id) ?? []) {
    if (seen.has(child.id)) continue
    seen.add(child.id)
    runWriteCode(a, child)
    cascade(a, child, seen)
  }
}
