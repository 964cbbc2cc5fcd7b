/** Which timeout a client has run into. Pure; looked at by a tick, so no statement sets a timer. docs/internals/pools.md */
import type { PoolSettings } from '../config/pool-settings.ts'

export type TimeoutName = 'query_timeout' | 'idle_transaction_timeout' | 'transaction_timeout' | 'client_idle_timeout'

/** When things began, microseconds; null where they are not so. */
export interface ClientTimes {
  /** A statement runs, or waits for a server. */
  readonly statementUs: number | null
  /** A block is open, or a statement runs outside one. */
  readonly transactionUs: number | null
  /** Nothing is asked inside a block, or between the parts of a batch that a Flush cut. */
  readonly idleInTransactionUs: number | null
  /** Nothing is asked outside a block, and no server is held. */
  readonly idleUs: number | null
}

type Limits = Pick<
  PoolSettings,
  'queryTimeoutMs' | 'idleTransactionTimeoutMs' | 'transactionTimeoutMs' | 'clientIdleTimeoutMs'
>

export function overdue(times: ClientTimes, limits: Limits, nowUs: number): TimeoutName | null {
  const over = (sinceUs: number | null, limitMs: number): boolean =>
    sinceUs !== null && limitMs > 0 && nowUs - sinceUs > limitMs * 1000
  if (over(times.statementUs, limits.queryTimeoutMs)) return 'query_timeout'
  if (over(times.idleInTransactionUs, limits.idleTransactionTimeoutMs)) return 'idle_transaction_timeout'
  if (over(times.transactionUs, limits.transactionTimeoutMs)) return 'transaction_timeout'
  return over(times.idleUs, limits.clientIdleTimeoutMs) ? 'client_idle_timeout' : null
}
