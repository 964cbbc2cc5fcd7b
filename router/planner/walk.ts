import type { Node } from '@pgsql/types'

export type Ast = { readonly [key: string]: unknown }

export function isAst(value: unknown): value is Ast {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Values of a list of String nodes, as names are written in the tree. */
export function names(list: readonly Node[] | undefined): string[] {
  const found: string[] = []
  for (const node of list ?? []) if ('String' in node) found.push(node.String.sval ?? '')
  return found
}

export interface FunctionUse {
  readonly schema: string | null
  readonly name: string
  readonly location: number
  /** Text of each argument that is a plain constant, null for any other. */
  readonly constants: readonly (string | null)[]
}

/** What a tree mentions anywhere, without regard to scope. */
export interface Facts {
  readonly functions: FunctionUse[]
  /** Names after a dot: `row.f` calls the function f(row) where the row has no such column. */
  readonly fields: Set<string>
  readonly operators: Set<string>
  readonly types: Set<string>
  /** Parameter number → how often it occurs. */
  readonly parameters: Map<number, number>
  /** Every RangeVar that names a relation. */
  readonly relations: Ast[]
  /** Relations that INSERT, UPDATE, DELETE, MERGE, TRUNCATE or COPY FROM change. */
  readonly written: Set<Ast>
  /** CURRENT_TIMESTAMP and its kin. */
  moments: boolean
}

export function noFacts(): Facts {
  return {
    functions: [],
    fields: new Set(),
    operators: new Set(),
    types: new Set(),
    parameters: new Map(),
    relations: [],
    written: new Set(),
    moments: false,
  }
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? names(value as Node[]) : []
}

function last(list: readonly string[]): string {
  return list[list.length - 1] ?? ''
}

/** Fields whose RangeVars are no relations of their own: they repeat a name of FROM. */
const REPEATED = new Set(['lockedRels'])

function noteWritten(node: Ast, facts: Facts): void {
  for (const tag of ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'CopyStmt']) {
    const statement = node[tag]
    if (isAst(statement) && isAst(statement['relation'])) facts.written.add(statement['relation'])
  }
  const truncate = node['TruncateStmt']
  if (!isAst(truncate) || !Array.isArray(truncate['relations'])) return
  for (const item of truncate['relations'] as unknown[]) {
    if (isAst(item) && isAst(item['RangeVar'])) facts.written.add(item['RangeVar'])
  }
}

function noteFields(node: Ast, facts: Facts): void {
  const column = node['ColumnRef']
  const path = isAst(column) ? stringsOf(column['fields']) : []
  if (path.length > 1) facts.fields.add(last(path))
  const chain = node['A_Indirection']
  if (isAst(chain)) for (const name of stringsOf(chain['indirection'])) facts.fields.add(name)
}

function constantOf(argument: unknown): string | null {
  const value = isAst(argument) ? argument['A_Const'] : undefined
  if (!isAst(value)) return null
  const { sval, ival, boolval } = value
  if (isAst(sval)) return typeof sval['sval'] === 'string' ? sval['sval'] : ''
  if (isAst(boolval)) return String(boolval['boolval'] === true)
  return isAst(ival) && typeof ival['ival'] === 'number' ? String(ival['ival']) : null
}

function note(node: Ast, facts: Facts): void {
  noteWritten(node, facts)
  noteFields(node, facts)
  if (typeof node['relname'] === 'string') facts.relations.push(node)
  if (Array.isArray(node['funcname'])) {
    const path = stringsOf(node['funcname'])
    const location = typeof node['location'] === 'number' ? node['location'] : 0
    facts.functions.push({
      schema: path.length > 1 ? (path[path.length - 2] ?? null) : null,
      name: last(path),
      location,
      constants: Array.isArray(node['args']) ? (node['args'] as unknown[]).map(constantOf) : [],
    })
  }
  if (Array.isArray(node['names'])) facts.types.add(last(stringsOf(node['names'])))
  if (typeof node['kind'] === 'string' && node['kind'].startsWith('AEXPR')) {
    facts.operators.add(last(stringsOf(node['name'])))
    if (node['kind'].includes('BETWEEN')) for (const name of ['<', '<=', '>', '>=']) facts.operators.add(name)
  }
  if (Array.isArray(node['useOp'])) facts.operators.add(last(stringsOf(node['useOp'])))
  if (node['subLinkType'] !== undefined) facts.operators.add(last(stringsOf(node['operName'])) || '=')
  if (node['jointype'] !== undefined || 'CaseExpr' in node) facts.operators.add('=')
  if ('SQLValueFunction' in node) facts.moments = true
  const parameter = node['ParamRef']
  if (isAst(parameter)) {
    const number = typeof parameter['number'] === 'number' ? parameter['number'] : 0
    facts.parameters.set(number, (facts.parameters.get(number) ?? 0) + 1)
  }
}

/** Collects with a stack of its own: trees of generated SQL are deeper than JavaScript's. */
export function collectFacts(root: unknown, facts: Facts = noFacts()): Facts {
  const stack: unknown[] = [root]
  while (stack.length > 0) {
    const value = stack.pop()
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) stack.push(item)
    } else if (isAst(value)) {
      note(value, facts)
      for (const key of Object.keys(value)) if (!REPEATED.has(key)) stack.push(value[key])
    }
  }
  return facts
}

/** True when a relation of this unqualified name is mentioned anywhere in the tree. */
export function mentionsRelation(root: unknown, name: string): boolean {
  return collectFacts(root).relations.some(
    relation => relation['relname'] === name && relation['schemaname'] === undefined,
  )
}
