/** What becomes of each setting of [pgbouncer]: one of ours, nothing since it needs none, or a note. */

/** Times are seconds there, with decimals. */
export const TIMES: ReadonlySet<string> = new Set([
  'reserve_pool_timeout',
  'query_wait_timeout',
  'query_wait_notify',
  'query_timeout',
  'transaction_timeout',
  'idle_transaction_timeout',
  'client_idle_timeout',
  'server_lifetime',
  'server_idle_timeout',
  'server_connect_timeout',
  'server_login_retry',
  'server_check_delay',
])

export const COUNTS: ReadonlySet<string> = new Set([
  'default_pool_size',
  'min_pool_size',
  'reserve_pool_size',
  'max_client_conn',
  'max_db_connections',
  'max_user_connections',
  'max_db_client_connections',
  'max_user_client_connections',
])

/** Taken up by convert.ts itself. */
export const CONVERTED: ReadonlySet<string> = new Set([
  'listen_addr',
  'listen_port',
  'pool_mode',
  'auth_type',
  'auth_file',
  'auth_hba_file',
  'auth_query',
  'auth_user',
  'admin_users',
  'stats_users',
  'server_check_query',
  'client_tls_sslmode',
  'client_tls_key_file',
  'client_tls_cert_file',
  'client_tls_ca_file',
  'server_tls_sslmode',
  'server_tls_ca_file',
])

/** Whose effect is always there. */
const BUILT_IN: Readonly<Record<string, string>> = {
  ignore_startup_parameters: 'not needed: every startup parameter that is a setting is taken and carried',
  track_extra_parameters: 'not needed: every setting of a session is carried',
  max_prepared_statements: 'not needed: prepared statements always work; 200 are kept on each server',
  server_reset_query: 'not needed: a server is reset with DISCARD ALL whenever something was left on it',
  server_reset_query_always: 'not needed: a server is reset with DISCARD ALL whenever something was left on it',
  so_reuseport: 'not needed: [listen] workers share one port',
  peer_id: 'not needed: cancel requests reach every worker',
  stats_period: 'fixed: 60 seconds',
  tcp_keepalive: 'always on',
  disable_pqexec: 'not needed: several statements in one query are routed one by one',
}

const ELSEWHERE: Readonly<Record<string, string>> = {
  logfile: 'logs go to standard output; a service manager keeps them',
  pidfile: 'run it under a service manager',
  user: 'run it under a service manager as that user',
  unix_socket_dir: 'no Unix sockets; clients connect to [listen] host and port',
  auth_dbname: 'no equivalent: [auth] query runs in the database that the client wants, on its default_shard',
  verbose: 'see [log] level',
  dns_max_ttl: 'the system resolves names',
}

export function noteOf(name: string): string {
  return BUILT_IN[name] ?? ELSEWHERE[name] ?? 'no equivalent'
}
