/** Statements that leave something on their server: the client keeps it, up to a cap. */
import { errorOf } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Step } from './unit.ts'

export function keepsServer(step: Step): boolean {
  return (step.plan?.pin ?? null) !== null
}

export function begins(step: Step): boolean {
  return step.plan?.commands.some(command => command.kind === 'begin') ?? false
}

/** LISTEN in a batch that a server runs: it could not be undone with the rest. */
export function isListen(step: Step): boolean {
  const kind = step.plan?.command?.kind
  return kind === 'listen' || kind === 'unlisten'
}

export function tooManyPinned(pool: string): ShardwayError {
  return new ShardwayError('too_many_pinned', '53300', `too many clients keep a server of pool ${pool}`, {
    detail: 'The statement leaves state on its server that cannot be carried, and the last server is for everybody.',
    hint: 'See SHOW CLIENTS for who keeps one and why; raise [pool] default_pool_size.',
  })
}

export function listenInBlock(): ShardwayError {
  return errorOf(
    'not_supported',
    { what: 'LISTEN or UNLISTEN inside a transaction or a batch' },
    {
      hint: 'Send it as a statement of its own, outside a transaction.',
    },
  )
}
