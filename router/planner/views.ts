import type { Relation } from '../../src/catalog/catalog.ts'
import type { Analysis, Env } from './analysis.ts'
import { firm } from './problems.ts'
import { applyFacts } from './routines.ts'
import type { Columns } from './scope.ts'
import { tooLarge } from './with.ts'
import { collectFacts } from './walk.ts'

const MAX_DEPTH = 32

/** A view as the subquery that it is, with the view's own column names. */
export function viewColumns(a: Analysis, view: Relation, env: Env, position: number): Columns {
  const query = a.derived.viewQuery(view)
  const unknown: Columns = { columns: view.columns.map(({ name }) => ({ name, node: -1 })), open: false }
  if (query === null || !('SelectStmt' in query)) {
    a.useAnything(false)
    a.problem(firm(`view "${view.name}", whose definition cannot be read,`, 'Query its tables directly.', position))
    return unknown
  }
  if (env.depth > MAX_DEPTH) {
    tooLarge(a)
    return unknown
  }
  // Marks name the view as well: dropping or replacing it changes answers.
  a.use(view, false, false)
  const searchPath: readonly string[] = []
  const inner: Env = {
    parent: null,
    ctes: null,
    names: { searchPath, temporary: null, view: true },
    locked: env.locked,
    depth: env.depth + 1,
  }
  const facts = collectFacts(query)
  applyFacts(a, facts, [...new Set([...a.catalog.catalog.searchPath, view.schema])])
  const output = a.select(query.SelectStmt, inner, true)
  if (output.open || output.columns.length !== view.columns.length) return unknown
  return { columns: view.columns.map(({ name }, i) => ({ name, node: output.columns[i]?.node ?? -1 })), open: false }
}
