import type { Relation, Routine } from '../../src/catalog/catalog.ts'
import { builtinEffects, extensionRunsSql } from './builtins.ts'
import type { Derived } from './derived.ts'
import { tryParse } from './parse.ts'
import { scanBody } from './plpgsql.ts'
import { type Ast, collectFacts, type Facts, isAst } from './walk.ts'

/** What code that runs inside a server may touch or do. */
export interface Reach {
  readonly reads: Set<number>
  readonly writes: Set<number>
  /** Runs SQL that cannot be seen, or is written in a language that is not read. */
  dynamic: boolean
  /** Known to leave something behind in the session. */
  state: boolean
  /** Differs or fails on a standby. */
  unsafe: boolean
  /** May write: a volatile function that is not seen through, or sequences. */
  mayWrite: boolean
  needsDefault: boolean
  /** Draws from sequences, which currval() and lastval() remember in the session. */
  sequences: boolean
  /** Calls something that several shards refuse (set_config, session locks …). */
  refused: boolean
}

export function emptyReach(): Reach {
  return {
    reads: new Set(),
    writes: new Set(),
    dynamic: false,
    state: false,
    unsafe: false,
    mayWrite: false,
    needsDefault: false,
    sequences: false,
    refused: false,
  }
}

export function addReach(to: Reach, from: Reach): void {
  for (const id of from.reads) to.reads.add(id)
  for (const id of from.writes) to.writes.add(id)
  to.dynamic ||= from.dynamic
  to.state ||= from.state
  to.unsafe ||= from.unsafe
  to.mayWrite ||= from.mayWrite
  to.needsDefault ||= from.needsDefault
  to.sequences ||= from.sequences
  to.refused ||= from.refused
}

/** Relations a name may mean: inside a function the search_path is whatever the caller or the function set. */
function candidates(derived: Derived, schema: unknown, name: string): readonly Relation[] {
  const all = derived.byName.get(name) ?? []
  return typeof schema === 'string' && schema !== '' ? all.filter(relation => relation.schema === schema) : all
}

export function touch(derived: Derived, reach: Reach, relation: Relation, write: boolean): void {
  const id = derived.root(relation).id
  reach.reads.add(id)
  reach.reads.add(relation.id)
  for (const child of derived.children.get(relation.id) ?? []) reach.reads.add(child.id)
  if (relation.kind === 'v') addReach(reach, relationReach(derived, relation))
  if (!write) return
  reach.writes.add(id)
  if (relation.kind === 'v') for (const under of reach.reads) reach.writes.add(under)
  for (const routine of relation.functions) addReach(reach, routineReachById(derived, routine))
  if (relation.hasRules && relation.kind !== 'v') reach.dynamic = true
  // Rows that foreign keys change along.
  for (const other of relation.referencedBy) {
    const child = derived.byId.get(other)
    if (child === undefined) reach.dynamic = reach.mayWrite = true
    else if (!reach.writes.has(derived.root(child).id)) touch(derived, reach, child, true)
  }
}

export function callReach(derived: Derived, reach: Reach, schema: string | null, name: string): void {
  const routines = (derived.routinesByName.get(name) ?? []).filter(
    routine => schema === null || routine.schema === schema,
  )
  for (const routine of routines) addReach(reach, routineReach(derived, routine))
  if (schema !== null && schema !== 'pg_catalog') {
    // A function of another schema that the snapshot does not have: pg_temp, or newer than the snapshot.
    if (routines.length === 0 && schema !== 'information_schema') reach.dynamic = reach.mayWrite = reach.unsafe = true
    return
  }
  const effects = builtinEffects(name, derived.volatileBuiltins.has(name))
  reach.unsafe ||= effects.unsafe
  reach.mayWrite ||= effects.writes
  reach.dynamic ||= effects.dynamic
  reach.needsDefault ||= effects.needsDefault
  reach.state ||= effects.pin !== null
  reach.sequences ||= name === 'nextval' || name === 'setval'
  reach.refused ||= effects.refused
}

/** `row.name`: a call of f(row) if there is such a function, never of a built-in one. */
function fieldReach(derived: Derived, reach: Reach, name: string): void {
  for (const routine of derived.routinesByName.get(name) ?? []) addReach(reach, routineReach(derived, routine))
}

export function factsReach(derived: Derived, facts: Facts, reach: Reach): void {
  for (const range of facts.relations) {
    const write = facts.written.has(range)
    if (range['relpersistence'] === 't') reach.state = true
    for (const relation of candidates(derived, range['schemaname'], String(range['relname']))) {
      touch(derived, reach, relation, write)
    }
    if (write) reach.mayWrite = true
  }
  for (const call of facts.functions) callReach(derived, reach, call.schema, call.name)
  for (const name of facts.fields) fieldReach(derived, reach, name)
  for (const name of facts.operators) {
    for (const id of derived.operators.get(name) ?? []) addReach(reach, routineReachById(derived, id))
  }
  for (const name of facts.types) {
    for (const id of derived.types.get(name) ?? []) addReach(reach, routineReachById(derived, id))
  }
}

/** What a view's or materialized view's definition reaches, through all levels. */
export function relationReach(derived: Derived, relation: Relation): Reach {
  const known = derived.relationReach.get(relation.id)
  if (known !== undefined) return settled(derived, `v${relation.id}`, known)
  const reach = emptyReach()
  derived.relationReach.set(relation.id, reach)
  derived.stack.push(`v${relation.id}`)
  const query = derived.viewQuery(relation)
  if (query === null) reach.dynamic = reach.unsafe = true
  else factsReach(derived, collectFacts(query), reach)
  derived.stack.pop()
  return reach
}

/**
 * A reach that is still being worked out holds only part of the truth: whoever asks for it from further down a cycle would
 * keep that part for good, so it is told the worst. Direct recursion adds nothing.
 */
function settled(derived: Derived, key: string, reach: Reach): Reach {
  if (!derived.stack.includes(key) || derived.stack.at(-1) === key) return reach
  return { ...emptyReach(), dynamic: true, unsafe: true, mayWrite: true }
}

const QUERIES = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])

function sqlReach(derived: Derived, body: string, reach: Reach): void {
  let text = body.trim()
  // SQL-standard bodies: pg_get_function_sqlbody writes RETURN … or BEGIN ATOMIC … END.
  if (/^return\b/i.test(text)) text = `select ${text.slice(6)}`
  else if (/^begin\s+atomic\b/i.test(text)) text = text.replace(/^begin\s+atomic/i, '').replace(/\bend\s*;?$/i, '')
  const statements = text === '' ? null : tryParse(text)
  if (statements === null) {
    reach.dynamic = reach.unsafe = reach.mayWrite = true
    return
  }
  for (const statement of statements) {
    const tag = Object.keys(statement)[0] ?? ''
    const body = (statement as Ast)[tag]
    if (!QUERIES.has(tag) || (isAst(body) && body['intoClause'] !== undefined)) {
      reach.dynamic = reach.state = reach.mayWrite = true
    }
    factsReach(derived, collectFacts(statement), reach)
  }
}

/** Code that is not read, but known: an extension's C, and aggregates made of pg_catalog's functions alone. */
function isClean(routine: Routine): boolean {
  if (routine.kind === 'a' && routine.language === 'internal') return true
  return routine.extension && !extensionRunsSql(routine.name)
}

/** A PL/pgSQL body: any word that names a relation counts as one, any word before a parenthesis as a call. */
export function bodyReach(derived: Derived, body: string, reach: Reach): void {
  const found = scanBody(body)
  if (found === null || found.unseen) reach.dynamic = reach.unsafe = reach.mayWrite = true
  if (found === null) return
  if (found.state) reach.state = true
  if (found.changes) reach.mayWrite = reach.unsafe = true
  for (const { name, schema, called, dotted, written } of found.words) {
    if (called) callReach(derived, reach, schema, name)
    else if (dotted) fieldReach(derived, reach, name)
    for (const id of derived.types.get(name) ?? []) addReach(reach, routineReachById(derived, id))
    for (const relation of derived.byName.get(name) ?? []) touch(derived, reach, relation, written)
  }
  for (const sign of found.signs) {
    for (const id of derived.operators.get(sign) ?? []) addReach(reach, routineReachById(derived, id))
  }
}

export function routineReachById(derived: Derived, id: number): Reach {
  const routine = derived.routineById.get(id)
  // What is not in the snapshot belongs to pg_catalog: foreign key triggers, built-in defaults.
  return routine === undefined ? emptyReach() : routineReach(derived, routine)
}

export function routineReach(derived: Derived, routine: Routine): Reach {
  const known = derived.routineReach.get(routine.id)
  if (known !== undefined) return settled(derived, `f${routine.id}`, known)
  const reach = emptyReach()
  derived.routineReach.set(routine.id, reach)
  derived.stack.push(`f${routine.id}`)
  if (routine.volatility === 'v') reach.unsafe = true
  if (routine.language === 'sql' && routine.body !== null) sqlReach(derived, routine.body, reach)
  else if (routine.language === 'plpgsql' && routine.body !== null) bodyReach(derived, routine.body, reach)
  else if (!isClean(routine)) reach.dynamic = reach.unsafe = true
  if (reach.dynamic && routine.volatility === 'v') reach.mayWrite = true
  derived.stack.pop()
  return reach
}
