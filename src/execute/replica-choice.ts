/** Whether a unit may be answered by a replica, and by which (PRODUCT section 6, soundness 21 to 24). */
import type { Pool } from '../../pool/pool.ts'
import type { Plan } from '../../router/plan.ts'
import type { Watermark } from '../process/messages.ts'
import type { ExecutorClient } from './client.ts'
import type { Transaction } from './transaction.ts'
import {
  OP_BIND,
  OP_DESCRIBE_PORTAL,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_PARSE,
  OP_QUERY,
  OP_SYNC,
  type Step,
  type Unit,
} from './unit.ts'

export interface Replica {
  readonly pool: Pool
  readonly watermark: Watermark
}

const READ_STEPS: ReadonlySet<number> = new Set([
  OP_QUERY,
  OP_PARSE,
  OP_BIND,
  OP_DESCRIBE_STATEMENT,
  OP_DESCRIBE_PORTAL,
  OP_EXECUTE,
  OP_SYNC,
])

/** A read that a standby can answer, whole, outside a transaction that wrote. */
function isReplicaRead(unit: Unit): boolean {
  if (!unit.complete || unit.error !== null) return false
  let reads = 0
  for (const step of unit.steps) {
    if (!READ_STEPS.has(step.op)) return false
    if (step.plan !== null && (step.plan.access !== 'read' || !step.plan.replicaSafe)) return false
    if (step.op === OP_QUERY || step.op === OP_EXECUTE) reads++
  }
  return reads > 0
}

function hinted(unit: Unit, name: string): string | undefined {
  for (const step of unit.steps) {
    const value = step.plan?.hints.get(name)
    if (value !== undefined) return value
  }
  return undefined
}

/** The replica that may answer, or null: the primary does. `floorUs` is how far this session has seen the shard. */
export function replicaFor(
  client: ExecutorClient,
  transaction: Transaction,
  unit: Unit,
  shard: number,
  floorUs: number,
): Replica | null {
  const database = client.database
  if (!database.hasReplicas(shard)) return null
  const consistency = hinted(unit, 'consistency') ?? client.context.consistency
  const role = hinted(unit, 'role') ?? client.context.role
  if (consistency === 'strong' || role === 'primary') return null
  const whole = transaction.state === 'virtual'
  if (whole && (!transaction.readOnly || transaction.isolation === 'serializable')) return null
  if (!isReplicaRead(unit)) return null
  const { marks } = client.environment
  const allows = (watermark: Watermark): boolean => {
    if (consistency === 'eventual') return true
    if (consistency === 'session') return watermark.replayedUs > floorUs
    if (whole) return marks.isAllFresh(database.name, watermark.replayedUs)
    return unit.steps.every(step => step.plan === null || isFresh(client, step, step.plan, watermark))
  }
  return database.replicaPool(
    shard,
    client.user,
    (name, address) => client.environment.watermark(database.name, name, address),
    allows,
  )
}

/** False while something that the statement reads was written after what the replica has replayed. */
export function isFresh(client: ExecutorClient, step: Step, plan: Plan, watermark: Watermark): boolean {
  const { marks } = client.environment
  for (const touch of plan.touches) {
    if (touch.keyed && step.slots.length > 0) {
      for (const slot of step.slots) {
        if (!marks.isFresh(client.database.name, touch.relation, slot, watermark.replayedUs)) return false
      }
    } else if (!marks.isFresh(client.database.name, touch.relation, -1, watermark.replayedUs)) return false
  }
  return true
}
