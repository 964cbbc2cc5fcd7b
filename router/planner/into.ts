import type { IntoClause } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { checkCreated } from './created.ts'
import { needsShard } from './problems.ts'

/** SELECT … INTO and CREATE TABLE … AS: the new table lies on default_shard, or in the session. */
export function createInto(a: Analysis, into: IntoClause, env: Env): void {
  if (into.rel === undefined) return
  a.visited.add(into.rel)
  checkCreated(a, into.rel, env)
  if (a.instances.length > 0) a.problem(needsShard('SELECT … INTO from sharded tables', into.rel.location ?? -1))
}
