/** Statements that leave something on their server: the client keeps it, up to a cap. */
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Step } from './unit.ts'

export function keepsServer(step: Step): boolean {
  return (step.plan?.pin ?? null) !== null
}

export function tooManyPinned(pool: string): ShardwayError {
  return new ShardwayError('too_many_pinned', '53300', `too many clients keep a server of pool ${pool}`, {
    detail: 'The statement leaves state on its server that cannot be carried, and the last server is for everybody.',
    hint: 'See SHOW CLIENTS for who keeps one and why; raise [pool] default_pool_size.',
  })
}
