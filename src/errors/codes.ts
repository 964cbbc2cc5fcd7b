/**
 * The one table of everything that Shardway itself answers with. docs/reference/errors.md is made from it.
 * What a server says passes through unchanged and is not listed.
 */
import { ShardwayError } from './shardway-error.ts'

export interface ErrorCode {
  /** Five characters. https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlstate: string
  /** FATAL: the connection ends with it. */
  readonly severity: 'ERROR' | 'FATAL'
  /** The message; {names} stand for what is filled in. */
  readonly message: string
  readonly meaning: string
  readonly hint: string
  /** What an operator or developer does about it. */
  readonly remedy: string
}

export const CODES = {
  server_lost: {
    sqlstate: '08006',
    severity: 'ERROR',
    message: 'the connection to {node} of shard "{shard}" was lost',
    meaning: 'A server went away before it answered. Nothing of the statement was committed.',
    hint: 'The statement can be run again.',
    remedy: 'Retry. If it goes on, see SHOW NODES for the state of the shard.',
  },
  outcome_unknown: {
    sqlstate: '08007',
    severity: 'ERROR',
    message: 'the outcome of the commit on shard "{shard}" is unknown',
    meaning: 'The connection was lost after a COMMIT or an autocommit write was sent and before its answer came.',
    hint: 'Look whether the change is there before running it again.',
    remedy: 'Check the data, then decide. A statement that is idempotent can simply be run again.',
  },
  protocol_violation: {
    sqlstate: '08P01',
    severity: 'FATAL',
    message: '{what}',
    meaning: 'A client sent a message that the protocol does not allow there, or one that is malformed or too long.',
    hint: 'The connection is closed, since its state can no longer be known.',
    remedy: 'Look at the client library; a plain Postgres refuses the same message.',
  },
  not_supported: {
    sqlstate: '0A000',
    severity: 'ERROR',
    message: '{what} is not supported across shards',
    meaning: 'The statement would need more than one shard in a way whose answer could be wrong. Nothing was run.',
    hint: 'Name the shard key in the statement, or put the tables it joins on the same key.',
    remedy: 'docs/guides has the forms that work; "shardway explain" says which rule refused it.',
  },
  not_yet: {
    sqlstate: '0A000',
    severity: 'ERROR',
    message: '{what} is not yet supported in this release',
    meaning: 'The name is part of the contract; this release does not have what stands behind it.',
    hint: 'See CHANGELOG.md for what each release brings.',
    remedy: 'Leave it out, or use a release that has it.',
  },
  second_shard: {
    sqlstate: '0A000',
    severity: 'ERROR',
    message: 'a transaction that is open on shard "{open}" cannot reach shard "{wanted}"',
    meaning: 'One transaction touched keys of two shards.',
    hint: 'Use one transaction for each shard key.',
    remedy: 'Split the transaction, or put the rows it needs on the same key.',
  },
  no_shard_key: {
    sqlstate: '22023',
    severity: 'ERROR',
    message: 'no value for shard key "{column}" of table "{table}"',
    meaning: 'A row of a sharded table came without its key, so no shard can be chosen. It is never guessed.',
    hint: 'Give the key column a value in the INSERT.',
    remedy: 'Name the key column and its value.',
  },
  bad_shard_key: {
    sqlstate: '22023',
    severity: 'ERROR',
    message: 'the value of shard key "{column}" cannot be used',
    meaning: 'The key is null, or spelled in a way that only a server could evaluate.',
    hint: 'Use a literal or a bound parameter of the key column’s type.',
    remedy: 'Bind the key as a parameter of its type.',
  },
  bad_setting: {
    sqlstate: '22023',
    severity: 'ERROR',
    message: 'invalid value for shardway.{name}: "{value}"',
    meaning: 'A hint or a SET shardway.… has a value that is not allowed.',
    hint: 'The hint names what is allowed.',
    remedy: 'Use one of the values of docs/reference.',
  },
  bad_command: {
    sqlstate: '42601',
    severity: 'ERROR',
    message: 'the admin console does not know "{what}"',
    meaning: 'A statement of the admin console is misspelled or has the wrong arguments.',
    hint: 'SHOW HELP lists the commands.',
    remedy: 'See docs/reference/console.md.',
  },
  no_such_object: {
    sqlstate: '42704',
    severity: 'ERROR',
    message: '{kind} "{name}" does not exist',
    meaning: 'A command names a client, shard, node or database that is not there.',
    hint: 'The matching SHOW lists them.',
    remedy: 'Check the spelling.',
  },
  not_allowed: {
    sqlstate: '42501',
    severity: 'ERROR',
    message: 'user "{user}" may not {what}',
    meaning: 'A command of the admin console needs rights that the user does not have.',
    hint: 'admin = true allows everything, stats = true allows SHOW, in [[users]].',
    remedy: 'Give the user the right in shardway.toml and reload.',
  },
  read_only: {
    sqlstate: '25006',
    severity: 'ERROR',
    message: 'cannot write to a replica',
    meaning: 'The statement asked for a replica by a hint and writes.',
    hint: 'Leave out the role hint.',
    remedy: 'Remove role=replica from the statement, or SET shardway.role = DEFAULT.',
  },
  bad_password: {
    sqlstate: '28P01',
    severity: 'FATAL',
    message: 'password authentication failed for user "{user}"',
    meaning:
      'The user is unknown, the password is wrong, or the user may not enter this database: all three look alike.',
    hint: '',
    remedy: 'Check [[users]] in shardway.toml; the log names the reason.',
  },
  no_such_database: {
    sqlstate: '3D000',
    severity: 'FATAL',
    message: 'database "{database}" does not exist',
    meaning: 'No [[databases]] entry has this name. Told only after the password was right.',
    hint: 'The admin console is the database "shardway".',
    remedy: 'Check the connection string and [[databases]].',
  },
  retry: {
    sqlstate: '40001',
    severity: 'ERROR',
    message: 'the transaction must be run again',
    meaning: 'Rows moved, or a primary changed, while the transaction was open. Nothing of it was committed.',
    hint: 'Run the whole transaction again.',
    remedy: 'Retry, as after any serialization failure.',
  },
  too_many_clients: {
    sqlstate: '53300',
    severity: 'FATAL',
    message: 'sorry, too many clients already',
    meaning: 'max_client_conn is reached. The admin console still answers.',
    hint: 'Raise [pool] max_client_conn, or close idle clients.',
    remedy: 'SHOW CLIENTS tells who holds them.',
  },
  statement_too_large: {
    sqlstate: '54000',
    severity: 'ERROR',
    message: 'the statement has {size} bytes, more than can be routed',
    meaning: 'The text is longer than [scatter] max_routed_statement and its shard is not known.',
    hint: 'Use COPY or several statements, or name the shard.',
    remedy: 'Send smaller statements.',
  },
  query_wait_timeout: {
    sqlstate: '57014',
    severity: 'FATAL',
    message: 'query_wait_timeout',
    meaning: 'No server connection came free within [pool] query_wait_timeout.',
    hint: 'All servers of the pool are busy: SHOW POOLS.',
    remedy: 'Raise default_pool_size, or find what holds the servers.',
  },
  cancelled: {
    sqlstate: '57014',
    severity: 'ERROR',
    message: 'canceling statement due to user request',
    meaning: 'The client asked for it.',
    hint: '',
    remedy: 'Nothing to do.',
  },
  killed: {
    sqlstate: '57P01',
    severity: 'FATAL',
    message: 'terminating connection due to administrator command',
    meaning: 'KILL_CLIENT or KILL.',
    hint: '',
    remedy: 'Connect again.',
  },
  shutting_down: {
    sqlstate: '57P01',
    severity: 'FATAL',
    message: 'the proxy is shutting down',
    meaning: 'SIGTERM or SHUTDOWN: no new clients, and none without a transaction stays.',
    hint: 'Connect again; another proxy or the next start of this one will answer.',
    remedy: 'Reconnect.',
  },
  not_ready: {
    sqlstate: '57P03',
    severity: 'FATAL',
    message: 'the proxy is not yet ready: {reason}',
    meaning: 'The topology or the catalog of the database is not known yet, or is older than what the shards hold.',
    hint: 'GET /readyz says when; "shardway status" says why.',
    remedy: 'Wait, or see which node cannot be reached.',
  },
  no_primary: {
    sqlstate: '57P03',
    severity: 'ERROR',
    message: 'shard "{shard}" has no primary',
    meaning: 'No node of the shard says that it takes writes.',
    hint: 'SHOW NODES tells the state of each.',
    remedy: 'Bring the primary back or promote a replica.',
  },
  config_invalid: {
    sqlstate: 'F0000',
    severity: 'ERROR',
    message: '{file}: {count} mistakes',
    meaning: 'The configuration cannot be served. Every mistake is named; at a reload nothing has changed.',
    hint: 'docs/reference/configuration.md lists every name.',
    remedy: 'Correct the file; "shardway check -c FILE" tells when it is right.',
  },
  address_in_use: {
    sqlstate: '55006',
    severity: 'FATAL',
    message: 'the address {address} is already in use',
    meaning: 'Another process listens there.',
    hint: 'Is another Shardway running? Else choose another port.',
    remedy: 'End the other process or change [listen] or [http].',
  },
  internal: {
    sqlstate: 'XX000',
    severity: 'ERROR',
    message: 'internal error',
    meaning: 'A fault of Shardway itself. The log has the rest.',
    hint: 'Please report it with the log lines around it.',
    remedy: 'Report it.',
  },
} as const satisfies Readonly<Record<string, ErrorCode>>

export type ErrorName = keyof typeof CODES

/** Severity of a code by its name, for errors that travelled as plain fields. */
export function severityOf(code: string): 'ERROR' | 'FATAL' {
  return Object.hasOwn(CODES, code) ? CODES[code as ErrorName].severity : 'ERROR'
}

/** A ShardwayError of the table. `values` fill the {names} of its message; `hint` and the like replace the table's. */
export function errorOf(
  name: ErrorName,
  values: Readonly<Record<string, string | number>> = {},
  options: { detail?: string; hint?: string; position?: number; cause?: unknown } = {},
): ShardwayError {
  const code: ErrorCode = CODES[name]
  const message = code.message.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole))
  const hint = options.hint ?? (code.hint === '' ? undefined : code.hint)
  return new ShardwayError(name, code.sqlstate, message, { ...options, ...(hint === undefined ? {} : { hint }) })
}
