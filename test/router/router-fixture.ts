/** Two shards, three tables, and what the router's tests do with them. */
import type { KeySource, Plan } from '../../router/plan.ts'
import { planStatement } from '../../router/planner/plan-statement.ts'
import type { PlanInput, PlanOutput } from '../../router/planner/types.ts'
import { type PlanContext, Router } from '../../router/router.ts'
import { slotOfNumber } from '../../router/slots.ts'
import type { Catalog, Placement, Relation } from '../../src/catalog/catalog.ts'
import { ShardwayError } from '../../src/errors/shardway-error.ts'
import { BindView } from '../../src/protocol/bind-view.ts'
import { type DatabaseTopology, SLOT_COUNT } from '../../src/topology/topology.ts'

export const CONTEXT: PlanContext = { searchPath: null, role: 'app', temporary: null }
export const INT = 'int' as const

export function table(id: number, name: string, placement: Placement, notNull = true): Relation {
  const column = { name: 'id', type: placement.kind === 'sharded' && placement.type === 'text' ? 25 : 20, notNull }
  return {
    id,
    schema: 'public',
    name,
    kind: 'r',
    persistence: 'p',
    columns: [{ ...column, generated: false, volatileDefault: false }],
    placement,
    definition: null,
    functions: [],
    hasTriggers: false,
    hasRules: false,
    rowSecurity: false,
    parent: 0,
    references: [],
    referencedBy: [],
  }
}

export const CATALOG: Catalog = {
  database: 'app',
  version: 1,
  serverVersion: 150000,
  encoding: 'UTF8',
  searchPath: ['public'],
  relations: [
    table(1, 't', { kind: 'sharded', column: 'id', type: 'int', maxChars: 0 }),
    table(2, 'loose', { kind: 'sharded', column: 'id', type: 'int', maxChars: 0 }, false),
    table(3, 'named', { kind: 'sharded', column: 'id', type: 'text', maxChars: 0 }),
  ],
  routines: [],
  operators: [],
  types: [],
  volatileBuiltins: [],
  schemas: ['public'],
  oids: {},
}

/** Slots below the half on s0, the others on s1. */
export function topology(shardNames: readonly string[] = ['s0', 's1']): DatabaseTopology {
  const shards = shardNames.map(name => ({ name, dbname: 'app', term: 1, nodes: [] }))
  const slotRuns: [number, number][] =
    shardNames.length === 1
      ? [[0, 0]]
      : [
          [0, 0],
          [SLOT_COUNT / 2, 1],
        ]
  return { name: 'app', defaultShard: 's0', shards, slotRuns, shardNames }
}

export function shardOf(slot: number): number {
  return slot < SLOT_COUNT / 2 ? 0 : 1
}

/** The first integers from 1 that lie on the shard. */
export function keysOn(shard: number, count: number): number[] {
  const keys: number[] = []
  for (let key = 1; keys.length < count; key++) if (shardOf(slotOfNumber(key)) === shard) keys.push(key)
  return keys
}

export function planWith(keys: readonly KeySource[], rest: Partial<Plan> = {}): Plan {
  return {
    statements: 1,
    command: null,
    target: { kind: 'keys', keys, withDefault: false },
    refusal: null,
    access: 'read',
    replicaSafe: false,
    touches: [],
    pin: null,
    movable: false,
    touchesPins: false,
    changesCatalog: false,
    commands: [],
    mixed: false,
    hints: new Map(),
    parameters: 0,
    preparable: false,
    parse: null,
    tier: 'single',
    ...rest,
  }
}

/** Which texts the planner was asked for, and whether with literals. */
export const asked: string[] = []

export function router(
  plan: (input: PlanInput) => PlanOutput = planStatement,
  planBytes = 1_000_000,
  shards = topology(),
): Router {
  const planner = (input: PlanInput): PlanOutput => {
    asked.push(`${input.literals === null ? 'exact' : 'template'} ${input.text}`)
    return plan(input)
  }
  return new Router({ catalog: CATALOG, topology: shards, planBytes, planner })
}

export function find(r: Router, sql: string, context = CONTEXT): Plan {
  const bytes = Buffer.from(`....${sql}\0`)
  return r.find(bytes, 4, bytes.length - 1, context)
}

/** find and resolve as for a simple query. */
export function route(r: Router, sql: string, context = CONTEXT): number {
  const bytes = Buffer.from(`....${sql}\0`)
  return r.resolve(r.find(bytes, 4, bytes.length - 1, context), bytes, null, [])
}

export function bind(values: readonly (Buffer | string | null)[], formats: readonly number[] = []): BindView {
  const parts: Buffer[] = [Buffer.from('\0\0')]
  const int16 = (value: number): void => void parts.push(Buffer.from([value >> 8, value & 255]))
  int16(formats.length)
  for (const format of formats) int16(format)
  int16(values.length)
  for (const value of values) {
    const bytes = value === null ? null : Buffer.from(value)
    const length = Buffer.alloc(4)
    length.writeInt32BE(bytes === null ? -1 : bytes.length)
    parts.push(length)
    if (bytes !== null) parts.push(bytes)
  }
  int16(0)
  const view = new BindView()
  const body = Buffer.concat(parts)
  view.parse(body, 0, body.length)
  return view
}

export function stateOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof ShardwayError) return error.sqlstate
    throw error
  }
  return 'no error'
}
