/** A block that has left nothing on its shard begins anew on another: it is undone here, and its preliminaries run again there. */
import { internalQuery } from '../../pool/internal-query.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import type { Executor } from './executor.ts'
import type { Link } from './links.ts'

/** Calls back with null when the block is free to begin elsewhere, else with `refusal`; not at all when the server is lost. */
export function leaveBlock(
  executor: Executor,
  link: Link,
  refusal: ShardwayError,
  callback: (error: ShardwayError | null) => void,
): void {
  const { transaction } = executor
  if (transaction.prelude === null || link.pins !== null || link.server.status === IN_FAILED_TRANSACTION) {
    return callback(refusal)
  }
  if (!transaction.hasRead) return leave(executor, link, callback)
  // Under other levels what was read belongs to the block's one snapshot. The level may come from the role or the database.
  internalQuery(link.server, 'SHOW transaction_isolation', (error, rows) => {
    if (executor.closed) return
    // Out of time, perhaps: what it did not say is taken for a level that forbids it.
    if (error !== null || rows[0]?.[0] !== 'read committed') return callback(refusal)
    leave(executor, link, callback)
  })
}

function leave(executor: Executor, link: Link, callback: (error: ShardwayError | null) => void): void {
  const { transaction, links } = executor
  const { server } = link
  const { outside } = transaction
  transaction.hasRead = false
  transaction.inside = server.state.settings
  transaction.to('virtual')
  if (link.kept) {
    return internalQuery(server, 'ROLLBACK', error => {
      if (executor.closed) return
      if (error !== null) return server.destroy('ROLLBACK failed')
      if (outside !== null) server.state.settings = outside.settings
      callback(null)
    })
  }
  links.forget(link)
  server.owner = null
  internalQuery(server, 'ROLLBACK', error => {
    if (error !== null) return server.destroy('ROLLBACK failed')
    // In doubt it is reset.
    server.state.dirty = true
    link.pool.release(server)
  })
  callback(null)
}
