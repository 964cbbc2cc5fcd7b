import type { Node, VariableSetStmt } from '@pgsql/types'
import type { SessionCommand } from '../plan.ts'
import { canonicalInt, canonicalUuid } from '../values.ts'
import type { Analysis } from './analysis.ts'
import { refusedOption, shardwayName } from '../options.ts'
import { badSetting, firm } from './problems.ts'

/** A shardway.* setting or a hint, and its value; null resets. */
export function checkOwn(a: Analysis, name: string, value: string | null): void {
  const refusal = refusedOption(a.input.topology.shardNames, name, value)
  if (refusal !== null) a.problem(badSetting(refusal.message, refusal.hint))
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
    checkOwn(a, own, value)
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
