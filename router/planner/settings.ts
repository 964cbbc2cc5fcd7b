import type { Node, VariableSetStmt } from '@pgsql/types'
import type { SessionCommand } from '../plan.ts'
import { canonicalInt, canonicalUuid } from '../values.ts'
import type { Analysis } from './analysis.ts'
import { badSetting, firm, type Problem } from './problems.ts'

const PREFIX = 'shardway.'

const DURATION = /^\d+(?:\.\d+)?\s*(?:us|ms|s|min|m|h|d)$/

/** What each shardway.* name and hint may be; the text is the hint of a refusal. */
const ALLOWED: ReadonlyMap<string, { readonly test: (value: string) => boolean; readonly text: string }> = new Map([
  ['shard', { test: value => value !== '', text: 'the name of a shard' }],
  ['key', { test: value => value !== '', text: 'a value of the shard key' }],
  ['role', oneOf('primary', 'replica')],
  ['consistency', oneOf('strong', 'fresh', 'session', 'eventual')],
  ['cache', { test: value => value === 'off' || DURATION.test(value), text: 'off, or a duration such as 30s' }],
  ['stale', { test: value => DURATION.test(value), text: 'a duration such as 5s' }],
  ['cross_shard_isolation', oneOf('per_shard', 'off')],
])

function oneOf(...values: string[]): { test: (value: string) => boolean; text: string } {
  return { test: value => values.includes(value), text: values.join(', ') }
}

/** Null when the setting may have this value. */
export function checkSetting(a: Analysis, name: string, value: string | null): Problem | null {
  const allowed = ALLOWED.get(name)
  if (allowed === undefined) {
    return badSetting(`unrecognized setting "${PREFIX}${name}"`, `Allowed: ${[...ALLOWED.keys()].join(', ')}.`)
  }
  if (value === null) return null
  if (!allowed.test(value))
    return badSetting(`invalid value for ${PREFIX}${name}: "${value}"`, `Allowed: ${allowed.text}.`)
  const shards = a.input.topology.shards.map(shard => shard.name)
  if (name !== 'shard' || shards.includes(value)) return null
  return badSetting(`shard "${value}" does not exist`, `Shards: ${shards.join(', ')}.`)
}

export function shardwayName(name: string): string | null {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null
}

/** The text of SET's values, as SHOW would print it. */
function valueOf(args: readonly Node[] | undefined): string {
  const parts = (args ?? []).map(node => {
    if (!('A_Const' in node)) return ''
    const { sval, ival, fval, boolval } = node.A_Const
    if (sval !== undefined) return sval.sval ?? ''
    if (ival !== undefined) return String(ival.ival ?? 0)
    if (fval !== undefined) return fval.fval ?? ''
    return boolval?.boolval === true ? 'on' : 'off'
  })
  return parts.join(', ')
}

/** Settings that decide how later names are read: the planner must know them before it plans what follows. */
export const NAMING: ReadonlySet<string> = new Set(['search_path', 'role', 'session_authorization'])

export function planSet(a: Analysis, set: VariableSetStmt, alone: boolean): SessionCommand {
  a.exactOnly = true
  const name = (set.name ?? '').toLowerCase()
  const local = set.is_local === true
  const own = shardwayName(name)
  const reset = set.kind !== 'VAR_SET_VALUE'
  if (own !== null) {
    const value = reset ? null : valueOf(set.args)
    const problem = checkSetting(a, own, value)
    if (problem !== null) a.problem(problem)
    return { kind: 'shardway-set', name: own, value, local }
  }
  if (set.kind === 'VAR_RESET_ALL') {
    if (!alone) changesNames(a, 'RESET ALL')
    return { kind: 'reset-all' }
  }
  if (set.kind === 'VAR_SET_MULTI') {
    return name === 'session characteristics'
      ? { kind: 'set', name, reset: false }
      : { kind: 'set-transaction', name: '' }
  }
  if (!alone && NAMING.has(name)) changesNames(a, `SET ${name}`)
  if (!reset) refuseValue(a, name, valueOf(set.args))
  if (local) {
    if (NAMING.has(name)) {
      a.problem(firm(`SET LOCAL ${name}`, `Use SET ${name} before the transaction, or names with their schema.`))
    }
    return { kind: 'set-transaction', name }
  }
  return { kind: 'set', name, reset }
}

export function changesNames(a: Analysis, what: string): void {
  const hint = 'Names after it would be read by other rules. Send it as a statement of its own.'
  a.problem(firm(`${what} among several statements`, hint))
}

/** Of these only some values are possible. */
export function isLimited(name: string): boolean {
  return name === 'standard_conforming_strings' || name === 'client_encoding'
}

export function refuseValue(a: Analysis, name: string, value: string): void {
  const plain = value.toLowerCase().replace(/[^a-z0-9]/g, '')
  if (name === 'standard_conforming_strings' && !['on', 'true', 'yes', '1', 't', 'y'].includes(plain)) {
    a.problem(firm('standard_conforming_strings = off', "Write backslash escapes as E'…'."))
  }
  if (name === 'client_encoding' && !['utf8', 'unicode', 'sqlascii', 'default'].includes(plain)) {
    a.problem(firm(`client_encoding ${value}`, 'Shard keys are hashed as UTF-8: use client_encoding UTF8.'))
  }
}

/** The key hint's value in the type of the tables it stands for; without one its spelling decides. */
export function hintKey(
  value: string,
  type: 'int' | 'text' | 'uuid' | null,
): { readonly type: 'int' | 'text' | 'uuid'; readonly text: string } | null {
  if (type === null) {
    const int = /^-?\d+$/.test(value) ? canonicalInt(value) : null
    if (int !== null) return { type: 'int', text: int }
    const uuid = value.length >= 32 ? canonicalUuid(value) : null
    return uuid === null ? { type: 'text', text: value } : { type: 'uuid', text: uuid }
  }
  const text = type === 'int' ? canonicalInt(value) : type === 'uuid' ? canonicalUuid(value) : value
  return text === null ? null : { type, text }
}
