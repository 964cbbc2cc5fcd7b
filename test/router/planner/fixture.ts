/** Plans without a server, and what golden files keep of them. */
import { Lexer } from '../../../router/lexer.ts'
import type { KeySource, Plan } from '../../../router/plan.ts'
import { planStatement } from '../../../router/planner/plan-statement.ts'
import type { NameContext, PlanOutput } from '../../../router/planner/types.ts'
import { CatalogIndex } from '../../../src/catalog/catalog-index.ts'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { type DatabaseTopology, SLOT_COUNT } from '../../../src/topology/topology.ts'
import { CATALOG } from './fixture-catalog.ts'

export function catalogWith(change: Partial<Catalog>): CatalogIndex {
  return new CatalogIndex({ ...CATALOG, ...change })
}

export const catalog = new CatalogIndex(CATALOG)

export function topologyOf(shards: number): DatabaseTopology {
  const shardNames = Array.from({ length: shards }, (_, i) => `s${i}`)
  return {
    name: 'app',
    defaultShard: 's0',
    shards: shardNames.map(name => ({ name, dbname: 'app', term: 1, nodes: [] })),
    slotRuns: shardNames.map((_, i) => [Math.floor((i * SLOT_COUNT) / shards), i] as const),
    shardNames,
  }
}

export const DEFAULT_CONTEXT: NameContext = { searchPath: null, role: 'app', temporary: null }

export interface PlanOptions {
  readonly shards?: number
  readonly hints?: Readonly<Record<string, string>>
  readonly context?: Partial<NameContext>
  readonly catalog?: CatalogIndex
  readonly literals?: boolean
}

export function planFor(text: string, options: PlanOptions = {}): PlanOutput {
  const bytes = Buffer.from(text)
  const lexer = new Lexer()
  lexer.lex(bytes, 0, bytes.length)
  return planStatement({
    text,
    bytes,
    literals: options.literals === true ? lexer.literals : null,
    catalog: options.catalog ?? catalog,
    topology: topologyOf(options.shards ?? 2),
    context: { ...DEFAULT_CONTEXT, ...options.context },
    hints: new Map(Object.entries(options.hints ?? {})),
  })
}

/** What a golden file keeps of a plan: short enough to be read, complete enough to be trusted. */
export function summary({ plan, exactOnly }: PlanOutput): Record<string, unknown> {
  const { target, refusal, command, touches, pin } = plan
  const keys = target.kind === 'keys' ? target.keys : target.kind === 'shard' ? (target.keys ?? []) : []
  return {
    tier: plan.tier,
    ...(refusal === null ? { target: targetName(plan) } : { refusal: `${refusal.sqlstate} ${refusal.message}` }),
    ...(keys.length > 0 && refusal === null ? { keys: keys.map(keyName) } : {}),
    access: plan.access,
    ...(plan.replicaSafe ? { replicaSafe: true } : {}),
    ...(touches.length > 0 && refusal === null ? { touches: touches.map(touchName).toSorted() } : {}),
    ...(command === null ? {} : { command }),
    ...(pin === null ? {} : { pin }),
    ...(plan.changesCatalog ? { changesCatalog: true } : {}),
    ...(plan.mixed ? { mixed: true } : {}),
    ...(exactOnly ? { exactOnly: true } : {}),
  }
}

function targetName({ target }: Plan): string {
  if (target.kind === 'shard') return `shard ${target.name}`
  if (target.kind === 'keys') return target.withDefault ? 'keys+default' : 'keys'
  return target.kind
}

function keyName(key: KeySource): string {
  if (key.from === 'constant') return `${key.type} ${key.text}`
  const max = key.maxChars > 0 ? `(${key.maxChars})` : ''
  if (key.from === 'literal') return `${key.type}${max} literal ${key.negate ? '-' : ''}${key.index}`
  return `${key.type}${max} $${key.index + 1}${key.array ? '[]' : ''}${key.shared ? ' shared' : ''}`
}

function touchName(touch: Plan['touches'][number]): string {
  const name =
    touch.relation === 0 ? 'everything' : (catalog.relationById(touch.relation)?.name ?? String(touch.relation))
  return `${touch.write ? 'write' : 'read'} ${name}${touch.keyed ? ' keyed' : ''}`
}
