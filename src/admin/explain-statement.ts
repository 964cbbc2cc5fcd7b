/** Asks a router about one statement, as a session would, and says what it answered. Runs nothing. */
import { loadParser } from '../../router/planner/parse.ts'
import { planStatement } from '../../router/planner/plan-statement.ts'
import type { NameContext } from '../../router/planner/types.ts'
import { ANY_SHARD, Router } from '../../router/router.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { errorOf } from '../errors/codes.ts'
import { BindView } from '../protocol/bind-view.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config/schema.ts'
import type { DatabaseTopology, Topology } from '../topology/topology.ts'
import type { ExplainRequest } from './context.ts'
import { type ExplainRow, explainRows, type ExplainTarget } from './explain.ts'

export interface ExplainStatement {
  readonly sql: string
  /** Bound values as text; null is NULL. */
  readonly params: ReadonlyArray<string | null>
  /** The user on the servers, by whom names are read. */
  readonly role: string
  readonly consistency: string
}

/** Plans of one explained statement are not kept. */
const PLAN_BYTES = 65_536

/** `AdminContext.explain` for a process that has the snapshots: throws 42601 for what does not parse, 57P03 before they are there. */
export async function explainRoute(
  request: ExplainRequest,
  config: Config,
  topology: Topology,
  catalogs: readonly Catalog[],
): Promise<readonly ExplainRow[]> {
  const database = topology.databases.find(one => one.name === request.database)
  const catalog = catalogs.find(one => one.database === request.database)
  if (database === undefined || catalog === undefined) {
    throw errorOf('not_ready', { reason: `the catalog of "${request.database}" is not known` })
  }
  await loadParser()
  const router = new Router({ catalog, topology: database, planBytes: PLAN_BYTES, planner: planStatement })
  return explainStatement(router, database, {
    sql: request.sql,
    params: request.params,
    role: config.databases.find(one => one.name === request.database)?.server_user ?? '',
    consistency: config.read.consistency,
  })
}

/** Throws 42601 for what does not parse. `router` must hold `topology`. */
export function explainStatement(
  router: Router,
  topology: DatabaseTopology,
  statement: ExplainStatement,
): readonly ExplainRow[] {
  const text = Buffer.from(statement.sql)
  const context: NameContext = { searchPath: null, role: statement.role, temporary: null }
  const plan = router.find(text, 0, text.length, context)
  if (plan.unread !== undefined) throw plan.unread
  if (statement.params.length > plan.parameters) {
    throw errorOf(
      'bad_command',
      { what: `${statement.params.length} values for ${plan.parameters} parameters` },
      { hint: 'Give one value for each $n of the statement.' },
    )
  }
  return explainRows({
    plan,
    sql: statement.sql,
    target: target(router, topology, plan.parameters, text, statement, plan),
    database: topology,
    consistency: statement.consistency,
    relationName: id => {
      const relation = router.catalog.relationById(id)
      return relation === undefined ? undefined : `${relation.schema}.${relation.name}`
    },
  })
}

function target(
  router: Router,
  topology: DatabaseTopology,
  parameters: number,
  text: Buffer,
  statement: ExplainStatement,
  plan: Parameters<Router['resolve']>[0],
): ExplainTarget {
  if (plan.refusal !== null) {
    // The plan may stand for a template, whose literals have other lengths. A refusal counts from 0, an error from 1.
    return { kind: 'refused', refusal: { ...plan.refusal, position: router.refusalPosition(plan) - 1 } }
  }
  const several = topology.shardNames.length > 1
  const bound = plan.target.kind === 'keys' && plan.target.keys.some(key => key.from === 'parameter')
  if (several && bound && statement.params.length < parameters) return { kind: 'unknown' }
  try {
    const index = router.resolve(plan, text, bindOf(statement.params), [])
    const name = topology.shardNames[index]
    return index === ANY_SHARD || name === undefined ? { kind: 'any' } : { kind: 'shard', name }
  } catch (error) {
    if (!(error instanceof ShardwayError)) throw error
    const { sqlstate, message, hint, position } = error
    return { kind: 'refused', refusal: { sqlstate, message, hint: hint ?? '', position: position - 1 } }
  }
}

/** A Bind message's body with every value in text format. */
function bindOf(params: ReadonlyArray<string | null>): BindView {
  const parts: Buffer[] = [Buffer.from([0, 0, 0, 0]), int16(params.length)]
  for (const param of params) {
    const value = param === null ? null : Buffer.from(param)
    const length = Buffer.alloc(4)
    length.writeInt32BE(value === null ? -1 : value.length)
    parts.push(length)
    if (value !== null) parts.push(value)
  }
  parts.push(int16(0))
  const body = Buffer.concat(parts)
  const view = new BindView()
  view.parse(body, 0, body.length)
  return view
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
