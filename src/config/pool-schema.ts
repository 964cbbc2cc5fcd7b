/** [pool], and what a user or a database may say instead: PgBouncer's names wherever it has one. */
import { z } from 'zod'
import { count, flag, sizeBytes, timerMs } from './fields.ts'

const POOL_MODES = ['transaction', 'session', 'statement'] as const
export type PoolMode = (typeof POOL_MODES)[number]

/** Absent in a user's or a database's own table: what [pool] says. */
const own = {
  mode: z.enum(POOL_MODES).optional(),
  size: count(1).optional(),
  count: count(0).optional(),
  timer: timerMs.optional(),
}

export const poolSection = z.strictObject({
  mode: z.enum(POOL_MODES).default('transaction').describe('When a server is given back'),
  default_pool_size: count(1).default(20).describe('Server connections per database, user and node, over all workers'),
  min_pool_size: count(0).default(0).describe('Kept open, while the user has a client, on each node it uses'),
  reserve_pool_size: count(0).default(0).describe('Opened past the size when clients wait too long; 0: none'),
  reserve_pool_timeout: timerMs.prefault('5s').describe('How long a client waits before the reserve is used'),
  max_client_conn: count(1).default(10_000).describe('Clients of this proxy; the admin console is exempt'),
  max_db_connections: count(0).default(0).describe('Server connections of a database on one node; 0: no limit'),
  max_user_connections: count(0).default(0).describe('Server connections of a user on one node; 0: no limit'),
  max_db_client_connections: count(0).default(0).describe('Clients of a database; 0: no limit'),
  max_user_client_connections: count(0).default(0).describe('Clients of a user; 0: no limit'),
  query_wait_timeout: timerMs.prefault('120s').describe('How long a statement may wait for a server; 0: for ever'),
  query_wait_notify: timerMs.prefault('5s').describe('After this long a waiting client gets a NOTICE; 0: never'),
  query_timeout: timerMs.prefault('0').describe('Longest statement; its client and server are closed; 0: no limit'),
  transaction_timeout: timerMs.prefault('0').describe('Longest transaction, likewise; 0: no limit'),
  idle_transaction_timeout: timerMs
    .prefault('0')
    .describe('Longest pause inside a transaction, likewise; a COPY under way is not idle; 0: no limit'),
  client_idle_timeout: timerMs.prefault('0').describe('Clients idle for longer, with no server, are closed; 0: never'),
  server_lifetime: timerMs.prefault('1h').describe('Servers are closed when idle after this; 0: used once'),
  server_idle_timeout: timerMs.prefault('10m').describe('Servers idle for longer are closed; 0: never'),
  server_connect_timeout: timerMs.prefault('15s').describe('Longest login to a server; 0: no limit'),
  server_login_retry: timerMs
    .prefault('1s')
    .describe('After a failed login clients get its error for this long; PgBouncer waits 15s, but knows no failover'),
  server_check_delay: timerMs.prefault('30s').describe('Servers idle for longer are checked before they are reused'),
  server_check_query: z
    .string()
    .default('<empty>')
    .describe('The check; "<empty>" is an empty query, "" means no check'),
  max_prepared_statements: count(1)
    .default(200)
    .describe('Statements kept prepared on one server; the oldest go first'),
  max_client_prepared_statements: count(0)
    .default(10_000)
    .describe('Prepared statements of one client; more get 53400; 0: no limit'),
  max_client_prepared_bytes: sizeBytes.prefault('64MiB').describe('Their text; more gets 53400'),
  client_login_timeout: timerMs.prefault('60s').describe('How long a client may take to log in; 0: for ever'),
  lanes: flag.default(true).describe('Short autocommit reads of several clients share a server connection'),
})

export const userPool = z.strictObject({
  mode: own.mode.describe('When a server is given back'),
  default_pool_size: own.size.describe('Server connections per database and node'),
  reserve_pool_size: own.count.describe('Opened past the size when clients wait too long'),
  max_user_connections: own.count.describe("The user's server connections on one node"),
  max_user_client_connections: own.count.describe("The user's clients"),
  query_wait_timeout: own.timer.describe('How long a statement may wait for a server'),
  query_timeout: own.timer.describe('Longest statement'),
  transaction_timeout: own.timer.describe('Longest transaction'),
  idle_transaction_timeout: own.timer.describe('Longest pause inside a transaction'),
  client_idle_timeout: own.timer.describe('Idle clients are closed'),
})

export const databasePool = z.strictObject({
  mode: own.mode.describe('When a server is given back'),
  default_pool_size: own.size.describe('Server connections per user and node'),
  min_pool_size: own.count.describe('Kept open'),
  reserve_pool_size: own.count.describe('Opened past the size when clients wait too long'),
  max_db_connections: own.count.describe('Server connections of the database on one node'),
  max_db_client_connections: own.count.describe('Clients of the database'),
  query_wait_timeout: own.timer.describe('How long a statement may wait for a server'),
  server_lifetime: own.timer.describe('Servers are closed when idle after this'),
})

const RATE = count(0, 1_000_000_000).default(0)

/** Limits on statements, of a user or of a database. */
export const statementLimits = {
  max_statements_per_second: RATE.describe('Over all its clients; more get 53400; 0: no limit'),
  max_concurrent_statements: RATE.describe('Running at once, over all its clients; more get 53400; 0: no limit'),
}
