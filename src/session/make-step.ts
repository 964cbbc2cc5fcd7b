/** Steps as plain objects of one shape. */
import type { Plan } from '../../router/plan.ts'
import type { Router } from '../../router/router.ts'
import type { Statement } from '../execute/statement.ts'
import type { Step } from '../execute/unit.ts'

export const NO_SLOTS: readonly number[] = []

/** Slots of the keys that the router has just resolved; none stand for the whole table. */
export function slotsOf(router: Router, plan: Plan): readonly number[] {
  return plan.target.kind === 'keys' && router.slotsComplete && router.slots.length > 0 ? [...router.slots] : NO_SLOTS
}

export function makeStep(
  op: number,
  buffer: Buffer,
  start: number,
  end: number,
  plan: Plan | null,
  shard: number,
  slots: readonly number[],
  statement: Statement | null,
): Step {
  return { op, buffer, start, end, plan, shard, slots, statement, nameStart: 0, nameEnd: 0, moreBytes: 0 }
}
