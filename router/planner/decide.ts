import type { KeySource, KeyType, Refusal, Target, Touch } from '../plan.ts'
import type { Analysis, Instance } from './analysis.ts'
import { badSetting, firm, misplaced, notPinned } from './problems.ts'
import { checkOwn, hintKey } from './settings.ts'

export interface Decision {
  readonly target: Target
  readonly refusal: Refusal | null
}

interface Pinned {
  readonly keys: readonly KeySource[]
  readonly loose: readonly Instance[]
  /** Keys of rows that are written. */
  readonly written: readonly KeySource[]
}

const DEFAULT: Target = { kind: 'default' }

/** Where the statement may run, or why nowhere. */
export function decide(a: Analysis, isCommand: boolean): Decision {
  for (const [name, value] of a.input.hints) checkOwn(a, name, value)
  const always = a.problems.find(problem => problem.kind === 'always')
  if (always !== undefined) return { target: DEFAULT, refusal: always.refusal }
  if (!a.several) return { target: DEFAULT, refusal: null }
  const pinned = solve(a)
  const refused = a.problems.find(problem => problem.kind === 'firm') ?? unplaced(pinned)
  if (refused !== undefined) return { target: DEFAULT, refusal: refused.refusal }
  if (isCommand) return { target: { kind: 'any' }, refusal: null }
  const shard = a.input.hints.get('shard')
  if (shard !== undefined) {
    const { defaultShard } = a.input.topology
    if (a.needsLocalTables && !a.defines && shard !== defaultShard) {
      return { target: DEFAULT, refusal: misplaced(shard, defaultShard).refusal }
    }
    const { written: keys } = pinned
    return { target: { kind: 'shard', name: shard, ...(keys.length === 0 ? {} : { keys }) }, refusal: null }
  }
  const unhinted = a.problems.find(problem => problem.kind === 'shard')
  if (unhinted !== undefined) return { target: DEFAULT, refusal: unhinted.refusal }
  return byKeys(a, pinned)
}

function byKeys(a: Analysis, pinned: Pinned): Decision {
  const hint = a.input.hints.get('key')
  if (hint !== undefined) {
    const key = hintedKey(a, hint)
    if (key === null) {
      const problem = badSetting(`invalid value for shardway.key: "${hint}"`, 'Give a value of the shard key’s type.')
      return { target: DEFAULT, refusal: problem.refusal }
    }
    return { target: { kind: 'keys', keys: [key, ...pinned.keys], withDefault: a.needsDefault }, refusal: null }
  }
  const [loose] = pinned.loose
  if (loose !== undefined) return { target: DEFAULT, refusal: looseProblem(loose).refusal }
  if (pinned.keys.length > 0) {
    return { target: { kind: 'keys', keys: pinned.keys, withDefault: a.needsDefault }, refusal: null }
  }
  const [routine] = a.keyedRoutines
  if (routine !== undefined) return { target: DEFAULT, refusal: routine.refusal }
  // Rows whose key is a NULL that the server refuses: any server answers alike.
  if (a.needsDefault || a.needsCatalog || a.instances.length > 0) return { target: DEFAULT, refusal: null }
  return { target: a.notifies ? { kind: 'any', prefersDefault: true } : { kind: 'any' }, refusal: null }
}

function looseProblem(instance: Instance): ReturnType<typeof notPinned> {
  const { placement, name } = instance.relation
  return notPinned(name, placement.kind === 'sharded' ? placement.column : '', instance.position)
}

/** A row whose key is not seen can be placed by no hint. */
function unplaced(pinned: Pinned): ReturnType<typeof firm> | undefined {
  const row = pinned.loose.find(instance => instance.inserted)
  if (row === undefined) return undefined
  const hint = 'Select the key as a constant, a parameter, or a column that the statement pins to one.'
  return firm(`INSERT into "${row.relation.name}" of rows whose shard key is not known`, hint, row.position)
}

function solve(a: Analysis): Pinned {
  const reached = a.graph.solve()
  const keys = new Map<string | KeySource, KeySource>()
  const written = new Map<string | KeySource, KeySource>()
  const loose: Instance[] = []
  const writes = new Set(a.uses.filter(use => use.write).map(use => use.relation))
  for (const instance of a.instances) {
    const sources = reached.get(instance.node)
    if (sources === undefined) {
      if (!instance.fails) loose.push(instance)
      continue
    }
    for (const source of sources) {
      // Literals stay one by one: each template finds its own values at their places.
      const identity = source.from === 'parameter' ? `${source.index} ${source.array} ${source.maxChars}` : source
      keys.set(identity, source)
      if (writes.has(a.derived.root(instance.relation).id)) written.set(identity, source)
    }
  }
  return { keys: [...keys.values()], loose, written: [...written.values()] }
}

function hintedKey(a: Analysis, value: string): KeySource | null {
  const types = new Set<KeyType>()
  for (const { relation } of a.instances) if (relation.placement.kind === 'sharded') types.add(relation.placement.type)
  const [type] = types
  const key = hintKey(value, types.size === 1 && type !== undefined ? type : null)
  return key === null ? null : { from: 'constant', ...key }
}

/** One entry for each relation and direction; keyed only where every use of it is. */
export function touchesOf(a: Analysis, target: Target): Touch[] {
  const found = new Map<string, Touch>()
  const byKeys = target.kind === 'keys' && a.input.hints.get('key') === undefined
  for (const { relation, write, keyed } of a.uses) {
    const id = `${relation} ${write}`
    const before = found.get(id)
    found.set(id, { relation, write, keyed: keyed && byKeys && (before?.keyed ?? true) })
  }
  return [...found.values()]
}
