/**
 * Messages longer than [scatter] max_routed_statement: passed on in pieces where the shard is known from what was read of
 * them, else refused.
 */
import { opaquePlan } from '../../router/opaque-plan.ts'
import type { Plan } from '../../router/plan.ts'
import { keysOf } from '../../router/plan-keys.ts'
import { ANY_SHARD, type Router } from '../../router/router.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Statement } from '../execute/statement.ts'
import { OP_FUNCTION, OP_QUERY, type Step } from '../execute/unit.ts'
import type { BindView } from '../protocol/bind-view.ts'

/** Names and formats of a Bind, and its first parameters. */
export const ONE_SHARD_HEAD_BYTES = 256 * 1024

export function tooLarge(bytes: number): ShardwayError {
  return new ShardwayError('statement_too_large', '54000', `message of ${bytes} bytes is too large`, {
    detail: 'It is longer than [scatter] max_routed_statement, and its shard is not known.',
    hint: 'Raise max_routed_statement, or send the data in smaller statements or by COPY.',
  })
}

/** A simple query, or a function call, that is not read: there is one shard, and it may do anything. */
export function opaqueStep(simple: boolean, buffer: Buffer, start: number, end: number, moreBytes: number): Step {
  const op = simple ? OP_QUERY : OP_FUNCTION
  const plan = simple ? opaquePlan : null
  const shard = simple ? 0 : ANY_SHARD
  return { op, buffer, start, end, plan, shard, slots: [], statement: null, nameStart: 0, nameEnd: 0, moreBytes }
}

/** Null: a key lies behind what was read, so that only one shard would do. `given` parameters of the Bind were read. */
export function shardOfHead(
  router: Router,
  plan: Plan,
  statement: Statement,
  bind: BindView,
  given: number,
): number | null {
  if (keysOf(plan).every(key => key.from !== 'parameter' || key.index < given)) {
    return router.resolve(plan, statement.rest, bind, statement.types)
  }
  return router.shardCount === 1 ? 0 : null
}
