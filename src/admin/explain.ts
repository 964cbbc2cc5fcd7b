/** `shardway explain`: the route of a statement, as the router sees it. Runs nothing. */
import type { KeySource, Plan, Refusal } from '../../router/plan.ts'
import type { ConsoleResult } from '../process/messages.ts'
import type { DatabaseTopology } from '../topology/topology.ts'
import { listing, text } from './result.ts'

export interface ExplainRow {
  readonly property: string
  readonly value: string
}

/** Where `resolve` sends the plan with the values given: a shard, any of them, or nowhere. */
export type ExplainTarget =
  | { readonly kind: 'shard'; readonly name: string }
  | { readonly kind: 'any' }
  /** The key is bound later and was not given. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface ExplainInput {
  readonly plan: Plan
  readonly sql: string
  readonly target: ExplainTarget
  readonly database: DatabaseTopology
  /** `[read] consistency` of the session. */
  readonly consistency: string
  /** Name of a relation by its id, for what the statement touches. */
  readonly relationName: (id: number) => string | undefined
}

export function explainRows(input: ExplainInput): readonly ExplainRow[] {
  const { plan, target } = input
  const refusal = target.kind === 'refused' ? target.refusal : plan.refusal
  const rows: ExplainRow[] = [
    { property: 'database', value: input.database.name },
    { property: 'tier', value: refusal === null ? plan.tier : 'refused' },
    { property: 'shards', value: refusal === null ? shardsText(input) : 'none' },
    { property: 'keys', value: keysText(plan) },
    { property: 'role', value: refusal === null ? roleText(input) : 'none' },
    { property: 'access', value: plan.access },
    { property: 'touches', value: touchesText(input) },
    { property: 'pin', value: plan.pin ?? 'none' },
    { property: 'parameters', value: String(plan.parameters) },
    { property: 'hints', value: hintsText(plan.hints) },
    { property: 'text', value: input.sql },
    { property: 'cache', value: 'off' },
  ]
  if (refusal === null) return rows
  rows.push({ property: 'refusal', value: `${refusal.sqlstate}: ${refusal.message}` })
  if (refusal.hint !== '') rows.push({ property: 'hint', value: refusal.hint })
  if (refusal.position >= 0) rows.push({ property: 'position', value: String(refusal.position + 1) })
  return rows
}

export function explainResult(rows: readonly ExplainRow[]): ConsoleResult {
  return listing<ExplainRow>('EXPLAIN', [text('property', row => row.property), text('value', row => row.value)], rows)
}

function shardsText({ plan, target, database }: ExplainInput): string {
  if (plan.tier === 'empty') return 'none'
  if (target.kind === 'shard') return target.name
  if (target.kind === 'any') return `any of ${database.shards.map(shard => shard.name).join(', ')}`
  if (plan.target.kind === 'default') return database.defaultShard
  return 'known when the values are bound'
}

function keysText(plan: Plan): string {
  if (plan.target.kind !== 'keys') return plan.target.kind === 'shard' ? 'shard named by a hint' : 'none'
  const keys = plan.target.keys.map(keyText).join(', ')
  return plan.target.withDefault ? `${keys} (and default_shard)` : keys
}

function keyText(key: KeySource): string {
  if (key.from === 'constant') return `${key.type} '${key.text}'`
  if (key.from === 'parameter') return `${key.type} ${key.array ? 'ANY($' : '$'}${key.index + 1}${key.array ? ')' : ''}`
  return `${key.type} literal ${key.index + 1}`
}

function roleText({ plan, consistency }: ExplainInput): string {
  if (plan.tier === 'session' || plan.tier === 'empty') return 'the session'
  const asked = plan.hints.get('role')
  if (asked !== undefined) return asked
  if (!plan.replicaSafe) return 'primary'
  const level = plan.hints.get('consistency') ?? consistency
  if (level === 'strong') return 'primary (consistency = strong)'
  return `replica where it is known to be fresh, else primary (consistency = ${level})`
}

function touchesText({ plan, relationName }: ExplainInput): string {
  if (plan.touches.length === 0) return 'none'
  return plan.touches
    .map(touch => {
      // The planner's 0 stands for whatever name it did not find: a table that does not exist, or a temporary one.
      const known = touch.relation === 0 ? 'a table that is not in the catalog' : `relation ${touch.relation}`
      const name = relationName(touch.relation) ?? known
      return `${name} (${touch.write ? 'write' : 'read'}${touch.keyed ? ', by key' : ''})`
    })
    .join(', ')
}

function hintsText(hints: ReadonlyMap<string, string>): string {
  return hints.size === 0 ? 'none' : [...hints].map(([name, value]) => `${name}=${value}`).join(', ')
}
