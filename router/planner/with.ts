import type { CommonTableExpr, Node, WithClause } from '@pgsql/types'
import type { Analysis, Env } from './analysis.ts'
import { firm } from './problems.ts'
import type { Columns } from './scope.ts'
import { renamed } from './scope.ts'
import { mentionsRelation, names } from './walk.ts'

export interface Cte {
  readonly name: string
  readonly expression: CommonTableExpr
  readonly query: Node
  readonly modifying: boolean
  readonly recursive: boolean
  /** Where its own query stands. */
  env: Env
  /** Result of a data-modifying one, which runs once however often it is read. */
  output: Columns | null
  building: boolean
  referenced: boolean
}

export interface CteScope {
  readonly entries: Map<string, Cte>
  readonly parent: CteScope | null
}

export function findCte(scope: CteScope | null, name: string): Cte | null {
  for (let at = scope; at !== null; at = at.parent) {
    const entry = at.entries.get(name)
    if (entry !== undefined) return entry
  }
  return null
}

function isModifying(query: Node): boolean {
  return !('SelectStmt' in query)
}

/** The environment of a statement with this WITH clause. Its parts are analysed where they are read, or by `finishCtes`. */
export function bindCtes(a: Analysis, clause: WithClause | undefined, env: Env): Env {
  if (clause?.ctes === undefined) return env
  const recursiveClause = clause.recursive === true
  const all: CteScope = { entries: new Map(), parent: env.ctes }
  let before: CteScope | null = env.ctes
  for (const node of clause.ctes) {
    if (!('CommonTableExpr' in node)) continue
    const expression = node.CommonTableExpr
    const name = expression.ctename ?? ''
    const query = expression.ctequery
    if (query === undefined) continue
    const entry: Cte = {
      name,
      expression,
      query,
      modifying: isModifying(query),
      recursive: recursiveClause && mentionsRelation(query, name),
      // RECURSIVE lets every part see every other; without it each sees those before it.
      env: { ...env, ctes: recursiveClause ? all : before, locked: false },
      output: null,
      building: false,
      referenced: false,
    }
    all.entries.set(name, entry)
    before = { entries: new Map([[name, entry]]), parent: before }
  }
  const inner = { ...env, ctes: all }
  for (const entry of all.entries.values()) if (entry.modifying) cteColumns(a, entry)
  return inner
}

/** A part that nobody reads is looked at all the same: nothing in the text goes unseen. */
export function finishCtes(a: Analysis, env: Env, outer: Env): void {
  if (env.ctes === null || env.ctes === outer.ctes) return
  for (const entry of env.ctes.entries.values()) if (!entry.referenced) cteColumns(a, entry)
}

/** Columns of one reading of a CTE. Each reading has instances of its own: a filter on one says nothing about another. */
export function cteColumns(a: Analysis, entry: Cte): Columns {
  entry.referenced = true
  if (entry.output !== null) return entry.output
  if (entry.building) return { columns: [], open: true }
  entry.building = true
  const output = a.query(entry.query, entry.env, !entry.recursive && !entry.modifying)
  entry.building = false
  let columns = renamed(output, names(entry.expression.aliascolnames))
  // Rows of a recursive part come from both branches, over and over: its columns carry nothing.
  if (entry.recursive)
    columns = { columns: columns.columns.map(column => ({ ...column, node: -1 })), open: columns.open }
  if (entry.expression.search_clause !== undefined || entry.expression.cycle_clause !== undefined) {
    columns = { ...columns, open: true }
  }
  if (entry.modifying) entry.output = columns
  return columns
}

export function tooLarge(a: Analysis): void {
  a.useAnything(true)
  a.problem(firm('a statement with so many tables', 'Split the statement.'))
}
