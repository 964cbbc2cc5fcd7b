import type { Node } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import type { Columns } from './scope.ts'
import { analyzeSelect } from './select.ts'
import { analyzeWrite } from './write.ts'

/** A SELECT, or the INSERT, UPDATE, DELETE or MERGE of a WITH. `pass`: conditions on its columns may reach its tables. */
export function analyzeQuery(a: Analysis, query: Node, env: Env, pass: boolean): Columns {
  if ('SelectStmt' in query) return analyzeSelect(a, query.SelectStmt, env, pass)
  return analyzeWrite(a, query, env)
}
