/** Connections of `shardway check`: one at a time, closed again, with the reason where there is none. */
import type { Client } from 'pg'
import { connectControl, dropConnection } from '../../../pool/control-connection.ts'
import { parseHostPort } from '../../config/names.ts'
import type { Config, DatabaseConfig, UserConfig } from '../../config/schema.ts'

const CONNECT_TIMEOUT_MS = 5000
/** One slow catalog query must not hold the whole check. */
const QUERY_TIMEOUT_MS = 30_000

export interface Login {
  /** `control_user`, `server_user` or the user's place in the file. */
  readonly setting: string
  readonly user: string
  readonly password: string | undefined
}

export function controlLogin(database: DatabaseConfig): Login {
  const password = database.control_password === '' ? undefined : database.control_password
  return { setting: 'control_user', user: database.control_user, password }
}

/** server_user, or else every user who may enter the database under their own name. */
export function serverLogins(database: DatabaseConfig, users: readonly UserConfig[]): readonly Login[] {
  if (database.server_user !== undefined) {
    return [{ setting: 'server_user', user: database.server_user, password: database.server_password }]
  }
  return (
    users
      .filter(user => user.databases === undefined || user.databases.includes(database.name))
      // Of whom only verifiers are known no login can be tried: verifiers.ts looks at those.
      .filter(user => user.password.length === 0 || user.password.some(isPlain))
      .map(user => ({ setting: `users "${user.name}"`, user: user.name, password: user.password.find(isPlain) }))
  )
}

/** False for SCRAM verifiers and md5 hashes. */
export function isPlain(secret: string): boolean {
  return !secret.startsWith('SCRAM-SHA-256$') && !/^md5[0-9a-f]{32}$/.test(secret)
}

export interface ConnectFailure {
  readonly message: string
  readonly hint: string
}

/** Runs `work` on a connection with an empty search_path but for pg_catalog, or says why there is none. */
export async function withConnection<Result>(
  tls: Config['server']['tls'],
  address: string,
  dbname: string,
  login: Login,
  work: (client: Client) => Promise<Result>,
): Promise<{ readonly result: Result } | { readonly failure: ConnectFailure }> {
  const { host, port } = parseHostPort(address) ?? { host: address, port: 5432 }
  // An empty password keeps PGPASSWORD and .pgpass out: only what the file says is tried.
  const target = { host, port, dbname, user: login.user, password: login.password ?? '' }
  let client: Client
  try {
    client = await connectControl(target, {
      tls,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      queryTimeoutMs: QUERY_TIMEOUT_MS,
      applicationName: 'shardway check',
    })
  } catch (error) {
    return { failure: connectFailure(error, login) }
  }
  try {
    return { result: await work(client) }
  } finally {
    dropConnection(client)
  }
}

function connectFailure(error: unknown, login: Login): ConnectFailure {
  const code = (error as { code?: string }).code ?? ''
  const message = error instanceof Error && error.message !== '' ? error.message : code
  if (code === '28P01' || code === '28000') {
    return {
      message: `${login.setting} "${login.user}": ${message}`,
      hint: 'Correct the user or its password, or pg_hba.conf.',
    }
  }
  if (code === '3D000') return { message, hint: 'Create the database on this node, or correct dbname.' }
  if (code === '57P03') return { message, hint: 'The server is starting or recovering; try again.' }
  if (code === '42501')
    return { message: `${login.setting}: ${message}`, hint: 'GRANT CONNECT ON DATABASE to the user.' }
  if (code === '53300') return { message, hint: 'Raise max_connections of the server.' }
  if (/SASL|password/i.test(message) && login.password === undefined) {
    return { message: `${login.setting} "${login.user}" needs a password`, hint: 'Give its password in the file.' }
  }
  return {
    message: `unreachable: ${message}`,
    hint: 'Is the server running there, and does it listen on this address?',
  }
}
