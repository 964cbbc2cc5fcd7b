import type { CopyStmt } from '@pgsql/types'
import type { SessionCommand } from '../plan.ts'
import type { Analysis, Env } from './analysis.ts'
import { walkExpression } from './expressions.ts'
import { item } from './from.ts'
import { resolveRange, strayChild } from './names.ts'
import { copyNeedsShard, needsShard } from './problems.ts'
import { readRelation, relationColumns, writeRelation } from './uses.ts'
import { viewColumns } from './views.ts'

/** COPY of a table; COPY (query) was analysed as its query. */
export function planCopy(a: Analysis, copy: CopyStmt, env: Env): SessionCommand | null {
  const from = copy.is_from === true
  const onServer = copy.filename !== undefined
  if (onServer) {
    a.unsafe = true
    a.problem(needsShard('COPY to or from a file or program of the server'))
  }
  if (from) a.writes = true
  if (copy.relation !== undefined) copyTable(a, copy, env, from)
  return from && !onServer ? { kind: 'copy-in' } : null
}

function copyTable(a: Analysis, copy: CopyStmt, env: Env, from: boolean): void {
  if (copy.relation === undefined) return
  const position = copy.relation.location ?? -1
  const resolved = resolveRange(a, copy.relation, env.names)
  if (!('relation' in resolved)) {
    a.needsDefault = true
    a.unsafe = true
    if (resolved.kind === 'unknown') {
      a.needsTables()
      a.useAnything(from)
    }
    return
  }
  const { relation } = resolved
  if (resolved.kind === 'view') {
    a.problem(needsShard(`COPY of view "${relation.name}"`, position))
    if (from) a.useAnything(true)
    else viewColumns(a, relation, env, position)
    a.needsDefault = true
    return
  }
  const { kind } = relation.placement
  const direction = from ? 'FROM' : 'TO'
  if (kind === 'sharded' || (kind === 'reference' && from)) {
    const what = `COPY ${direction} of ${kind} table "${relation.name}"`
    a.problem(from ? copyNeedsShard(what, kind === 'reference', position) : needsShard(what, position))
    // One shard's rows, by the user's own word: no key could pin them.
    a.use(relation, from, false)
  } else {
    readRelation(a, relation, -1, env, position)
  }
  if (strayChild(a, relation) !== null) a.problem(needsShard(`COPY of table "${relation.name}"`, position))
  if (from) writeRelation(a, relation, false, false)
  const target = item(relationColumns(a, relation), relation.name, relation)
  walkExpression(a, copy.whereClause, { items: [target], parent: null }, env)
}
