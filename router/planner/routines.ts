import type { Routine } from '../../src/catalog/catalog.ts'
import { shardwayName } from '../options.ts'
import type { Analysis } from './analysis.ts'
import { builtinEffects, CATALOG_TYPES } from './builtins.ts'
import { firm, routineUnpinned } from './problems.ts'
import { type Reach, routineReach, routineReachById } from './reach.ts'
import { isLimited, NAMING, refuseValue } from './settings.ts'
import type { Facts, FunctionUse } from './walk.ts'

/** What a routine that the statement may run means for it. `id` names it in messages. */
export function applyReach(a: Analysis, reach: Reach, id: number): void {
  const routine = a.derived.routineById.get(id)
  const name = routine?.name ?? 'of a trigger'
  const declaredLocal = routine !== undefined && isDeclaredLocal(a, routine)
  for (const relation of reach.reads) useById(a, relation, false)
  for (const relation of reach.writes) useById(a, relation, true)
  if (reach.mayWrite) a.writes = true
  if (reach.unsafe) a.unsafe = true
  if (reach.dynamic) a.useAnything(reach.mayWrite)
  if (reach.state || reach.dynamic || (reach.sequences && !a.several)) a.pinned('function')
  if (reach.needsDefault) a.needsDefault = true
  if (!a.several) return
  placeReach(a, reach, name, declaredLocal)
}

export function isDeclaredLocal(a: Analysis, routine: Routine): boolean {
  const { localRoutines } = a.derived
  return localRoutines.has(routine.name) || localRoutines.has(`${routine.schema}.${routine.name}`)
}

function useById(a: Analysis, id: number, write: boolean): void {
  const relation = a.derived.byId.get(id)
  if (relation === undefined) return
  a.use(relation, write, false)
  if (relation.persistence !== 'p' || relation.kind === 'f' || relation.kind === 'S') a.unsafe = true
}

function placeReach(a: Analysis, reach: Reach, name: string, declaredLocal: boolean): void {
  const placements = (ids: Iterable<number>): Set<string> => {
    const kinds = new Set<string>()
    for (const id of ids) {
      const relation = a.derived.byId.get(id)
      if (relation !== undefined && relation.kind !== 'v') kinds.add(relation.placement.kind)
    }
    return kinds
  }
  const read = placements(reach.reads)
  const written = placements(reach.writes)
  if (written.has('reference')) {
    a.problem(firm(`function "${name}", which writes a reference table,`, 'Every copy must be written alike.'))
  }
  if (reach.refused || (reach.state && !declaredLocal)) {
    const hint = 'It changes the state of one server’s session, which other shards would not see.'
    a.problem(firm(`function "${name}", which changes session state,`, hint))
  }
  if (read.has('local') || written.has('local')) a.needsTables()
  if (read.has('sharded') || written.has('sharded')) {
    a.keyedRoutines.push(routineUnpinned(name, 'touches sharded tables'))
  } else if (reach.dynamic && !declaredLocal) {
    a.keyedRoutines.push(routineUnpinned(name, 'runs SQL that cannot be seen'))
  }
}

/** Functions, operators and types that the text mentions. */
export function applyFacts(a: Analysis, facts: Facts, searchPath: readonly string[]): void {
  for (const call of facts.functions) applyCall(a, call, searchPath)
  for (const name of facts.fields) {
    for (const routine of a.catalog.routines(name)) {
      if (searchPath.includes(routine.schema)) applyReach(a, routineReach(a.derived, routine), routine.id)
    }
  }
  for (const name of facts.operators) {
    for (const id of a.derived.operators.get(name) ?? []) applyReach(a, routineReachById(a.derived, id), id)
  }
  for (const name of facts.types) {
    for (const id of a.derived.types.get(name) ?? []) applyReach(a, routineReachById(a.derived, id), id)
    if (!CATALOG_TYPES.has(name)) continue
    a.unsafe = true
    a.needsCatalog = true
  }
}

/** set_config('name', …, false) is SET: its value is read back from the server. False when the text does not tell what it sets. */
function setsKnown(a: Analysis, call: FunctionUse): boolean {
  const name = call.constants[0]?.toLowerCase() ?? ''
  const value = call.constants[1] ?? null
  const local = call.constants[2] === 'true'
  if (name === '' || shardwayName(name) !== null || (!local && call.constants[2] !== 'false')) return false
  if (NAMING.has(name) && (!a.alone || local)) return false
  if (value === null && isLimited(name)) return false
  refuseValue(a, name, value ?? '')
  a.sets.push(local ? { kind: 'set-transaction', name } : { kind: 'set', name, reset: false })
  a.unsafe = true
  a.exactOnly = true
  return true
}

/** A name without a schema may be a user's function, a built-in one, or either by its arguments: all count. */
function applyCall(a: Analysis, call: FunctionUse, searchPath: readonly string[]): void {
  const named = a.catalog.routines(call.name)
  const routines = named.filter(routine =>
    call.schema === null ? searchPath.includes(routine.schema) : routine.schema === call.schema,
  )
  for (const routine of routines) applyReach(a, routineReach(a.derived, routine), routine.id)
  if (call.schema === null || call.schema === 'pg_catalog') applyBuiltin(a, call)
  else if (routines.length === 0 && call.schema !== 'information_schema') applyUnknown(a, call)
}

function applyUnknown(a: Analysis, call: FunctionUse): void {
  a.useAnything(true)
  a.pinned('function')
  if (a.several) a.keyedRoutines.push(routineUnpinned(`${call.schema}.${call.name}`, 'is not in the catalog'))
}

function applyBuiltin(a: Analysis, call: FunctionUse): void {
  if (call.name === 'set_config' && setsKnown(a, call)) return
  const effects = builtinEffects(call.name, a.catalog.isVolatileBuiltin(call.name))
  if (effects.writes) a.writes = true
  if (effects.unsafe) a.unsafe = true
  if (effects.notifies) a.notifies = true
  if (effects.needsDefault) {
    if (effects.everywhereOne) a.needsTables()
    else if (effects.writes) a.needsDefault = true
    else a.needsCatalog = true
  }
  if (effects.touchesPins) a.touchesPins = true
  if (effects.pin !== null) a.pinned(effects.pin)
  if (effects.refused) {
    const hint = 'It concerns one server’s session, and the session has one on each shard.'
    a.problem(firm(`function "${call.name}"`, hint, call.location))
  }
  if (effects.dynamic) {
    a.useAnything(a.catalog.isVolatileBuiltin(call.name))
    const hint = 'It runs SQL that the proxy cannot see. Write the query itself.'
    a.problem(firm(`function "${call.name}"`, hint, call.location))
  }
}
