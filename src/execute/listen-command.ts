/** LISTEN as a client sends it: the channels are subscribed to before the answer. */
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { Notifications } from './notifications.ts'
import { OP_EXECUTE, OP_QUERY, type Step } from './unit.ts'

export function listenFirst(
  notifications: Notifications,
  steps: readonly Step[],
  callback: (error: ShardwayError | null) => void,
): void {
  const at = steps.findIndex(
    ({ op, plan }) => (op === OP_QUERY || op === OP_EXECUTE) && plan?.command?.kind === 'listen',
  )
  const command = steps[at]?.plan?.command
  if (command?.kind !== 'listen') return callback(null)
  notifications.listen(command.channel, error => {
    if (error === null) listenFirst(notifications, steps.slice(at + 1), callback)
    else callback(error)
  })
}
