import type { IntoClause } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { checkCreated } from './created.ts'

/** SELECT … INTO and CREATE TABLE … AS: the new table lies on default_shard, or in the session. */
export function createInto(a: Analysis, into: IntoClause, env: Env): void {
  if (into.rel === undefined) return
  a.visited.add(into.rel)
  checkCreated(a, into.rel, env)
}
