import type { Node, OnConflictClause, RangeVar, ReturningClause } from '@pgsql/types'
import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { walkExpression } from './expressions.ts'
import { item, OPEN } from './from.ts'
import { resolveRange } from './names.ts'
import { outward, targets } from './output.ts'
import { firm } from './problems.ts'
import { relationReach, routineReachById } from './reach.ts'
import { applyReach } from './routines.ts'
import type { Columns, Item, Level } from './scope.ts'
import { keyNodeOf, readRelation, refuseStray, relationColumns, writeRelation } from './uses.ts'

const NO_COLUMNS: Columns = { columns: [], open: false }

export interface WriteTarget {
  readonly item: Item
  /** Null when the table is not in the catalog. */
  readonly relation: Relation | null
}

/** The table that is written; with 'update' its rows are found by conditions, which must pin it. */
export function writeTarget(
  a: Analysis,
  range: RangeVar,
  env: Env,
  kind: 'insert' | 'update',
  conflict?: OnConflictClause,
): WriteTarget {
  const name = range.alias?.aliasname ?? range.relname ?? ''
  const position = range.location ?? 0
  const resolved = resolveRange(a, range, env.names)
  if (resolved.kind === 'view') {
    writeView(a, resolved.relation, position)
    const columns = resolved.relation.columns.map(column => ({ name: column.name, node: -1 }))
    return { item: item({ columns, open: false }, name), relation: resolved.relation }
  }
  if (!('relation' in resolved)) {
    a.needsDefault = true
    a.unsafe = true
    a.writes = true
    if (resolved.kind === 'unknown') {
      a.needsTables()
      a.useAnything(true)
    }
    return { item: item(OPEN, name), relation: null }
  }
  const { relation } = resolved
  const columns = relationColumns(a, relation)
  const written = item(columns, name, range.alias === undefined ? relation : null)
  const sharded = relation.placement.kind === 'sharded'
  if (relation.placement.kind === 'reference') {
    const hint = 'Every copy must be written alike; that is not in this release.'
    a.problem(firm(`writing reference table "${relation.name}"`, hint, position))
  }
  if (kind === 'update') readRelation(a, relation, keyNodeOf(relation, columns), { ...env, locked: false }, position)
  else if (relation.placement.kind === 'local') a.needsTables()
  // INSERT goes on to a partition; other children it leaves alone.
  if (kind === 'insert' && relation.kind === 'p') refuseStray(a, relation, position)
  const elsewhere = conflict?.action === 'ONCONFLICT_UPDATE' && !infersKey(relation, conflict)
  writeRelation(a, relation, sharded && !elsewhere, kind === 'update' || elsewhere)
  return { item: written, relation }
}

/** False when DO UPDATE may change a row with another key than the new one: it conflicts by other columns. */
function infersKey(relation: Relation, conflict: OnConflictClause): boolean {
  const { placement } = relation
  if (placement.kind !== 'sharded') return false
  return (conflict.infer?.indexElems ?? []).some(node => {
    if (!('IndexElem' in node)) return false
    // Another collation or operator class may take other keys for equal.
    const { name, collation, opclass } = node.IndexElem
    return name === placement.column && collation === undefined && opclass === undefined
  })
}

/** A view is written through to its tables by rules, triggers or Postgres itself: only where all of that is local. */
function writeView(a: Analysis, view: Relation, position: number): void {
  const reach = relationReach(a.derived, view)
  a.use(view, true, false)
  a.needsTables()
  for (const id of reach.reads) {
    const under = a.derived.byId.get(id)
    if (under === undefined) continue
    if (under.kind === 'v') a.use(under, true, false)
    else writeRelation(a, under, false, true)
  }
  applyReach(a, reach, 0)
  for (const id of view.functions) applyReach(a, routineReachById(a.derived, id), id)
  const local = [...reach.reads].every(id => a.derived.byId.get(id)?.placement.kind === 'local')
  if (local && !reach.dynamic && !view.hasRules) return
  a.problem(firm(`writing view "${view.name}"`, 'Write the tables behind it, with their shard key.', position))
}

export function returning(a: Analysis, clause: ReturningClause | undefined, level: Level, env: Env): Columns {
  if (clause === undefined) return NO_COLUMNS
  walkExpression(a, clause.exprs, level, env)
  const list = targets(a, clause.exprs, level)
  return outward(a, list.targets, list.open, () => false)
}

/** The target of UPDATE as RETURNING sees it: conditions were on the old values, and only the shard key stays the same. */
export function newRows(target: Item, relation: Relation | null): Item {
  const kept = relation?.placement.kind === 'sharded' ? relation.placement.column : null
  return { ...target, columns: target.columns.map(column => (column.name === kept ? column : { ...column, node: -1 })) }
}

/** Columns that SET assigns. */
export function assigned(list: readonly Node[] | undefined): string[] {
  return (list ?? []).flatMap(node => ('ResTarget' in node ? [node.ResTarget.name ?? ''] : []))
}

export function refuseKeyChange(a: Analysis, relation: Relation | null, list: readonly Node[] | undefined): void {
  if (relation?.placement.kind !== 'sharded') return
  const { column } = relation.placement
  for (const node of list ?? []) {
    if (!('ResTarget' in node) || node.ResTarget.name !== column) continue
    const hint = 'Delete the row and insert it with the new key.'
    a.problem(firm(`changing shard key "${column}" of table "${relation.name}"`, hint, node.ResTarget.location ?? -1))
  }
}
