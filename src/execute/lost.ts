/** A server went away: what its client is told, by what was outstanding there. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { errorOf, ready } from '../protocol/backend-messages.ts'
import { HOLD_CATALOG, HOLD_MARKS, HOLD_PREPARED, HOLD_REPLICA } from './client-output.ts'
import { closeMarks } from './effects.ts'
import type { Executor } from './executor.ts'

export function outcomeUnknown(reason: string): ShardwayError {
  return new ShardwayError('outcome_unknown', '08007', 'the outcome of the transaction is not known', {
    detail: reason,
    hint: 'It may have been committed. Look before you try it again.',
  })
}

export function cancelled(): ShardwayError {
  return new ShardwayError('cancelled', '57014', 'canceling statement due to user request')
}

function lostError(error: ShardwayError, mayCommit: boolean): ShardwayError {
  if (mayCommit) return outcomeUnknown(error.message)
  return new ShardwayError('server_lost', '08006', `the server connection was lost: ${error.message}`, {
    detail: `The server said ${error.sqlstate}.`,
    hint: 'Nothing of the statement was committed. Try the transaction again.',
  })
}

/** A connection that the client holds or waits for is gone. */
export function serverLost(executor: Executor, server: ServerConnection, error: ShardwayError): void {
  const { running, links, transaction, client } = executor
  const link = links.of(server)
  if (link !== undefined) links.forget(link)
  if (link === undefined && running?.server !== server) return
  const kept = link?.kept === true
  const inBlock = (transaction.state === 'open' && transaction.shard === link?.shard) || running?.begins === true
  closeMarks(transaction.marks, true)
  closeMarks(running?.marks ?? null, true)
  client.output.release(HOLD_MARKS | HOLD_CATALOG)
  executor.serverGone()
  if (running === null || running.server !== server) {
    if (inBlock || kept) client.fatal(lostError(error, false))
    return
  }
  // Half a row is on its way: no error can be said any more.
  if (server.midRow) return client.abort()
  if (running.reading) return client.fatal(lostError(error, running.mayCommit))
  if ((client.output.holding & HOLD_REPLICA) !== 0 && running.complete) return executor.placement.onPrimary(running)
  const reported = lostError(error, running.mayCommit)
  if (inBlock || kept) return client.fatal(reported)
  client.database.stats.errors++
  client.copyEnded()
  client.output.release(HOLD_REPLICA | HOLD_PREPARED)
  client.output.frame(errorOf(reported))
  running.failed = true
  running.server = null
  if (transaction.state === 'virtual') transaction.to('failed')
  if (running.complete) {
    client.output.frame(ready(executor.status))
    executor.finish()
  } else client.unitEmitted()
}
