/** What a client is told when a server went away, by what was outstanding there. */
import { ShardwayError } from '../errors/shardway-error.ts'

export function outcomeUnknown(reason: string): ShardwayError {
  return new ShardwayError('outcome_unknown', '08007', 'the outcome of the transaction is not known', {
    detail: reason,
    hint: 'It may have been committed. Look before you try it again.',
  })
}

export function lostError(error: ShardwayError, mayCommit: boolean): ShardwayError {
  if (mayCommit) return outcomeUnknown(error.message)
  return new ShardwayError('server_lost', '08006', `the server connection was lost: ${error.message}`, {
    detail: `The server said ${error.sqlstate}.`,
    hint: 'Nothing of the statement was committed. Try the transaction again.',
  })
}
