/** Whether users of whom only verifiers are known can be passed through: the servers must hold the identical ones. */
import type { Client } from 'pg'
import type { DatabaseConfig, UserConfig } from '../../config/schema.ts'
import { type Finding, failure, warning } from './finding.ts'
import { isPlain } from './connect.ts'

export interface StoredVerifier {
  readonly name: string
  readonly secret: string | null
}

/** Null: control_user may not see what the servers keep. */
export async function storedVerifiers(client: Client, names: readonly string[]): Promise<StoredVerifier[] | null> {
  const may = await client.query<{ may: boolean }>(
    "select pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') as may",
  )
  if (may.rows[0]?.may !== true) return null
  const found = await client.query<StoredVerifier>(
    'select rolname as name, rolpassword as secret from pg_catalog.pg_authid where rolname = any ($1::pg_catalog.name[])',
    [names],
  )
  return found.rows
}

/** Users who log in to the servers with what their own login gives. */
export function passedThrough(database: DatabaseConfig, users: readonly UserConfig[]): readonly UserConfig[] {
  if (database.server_user !== undefined) return []
  return users.filter(
    user =>
      (user.databases === undefined || user.databases.includes(database.name)) &&
      user.password.length > 0 &&
      !user.password.some(isPlain),
  )
}

export function verifierFindings(
  where: string,
  users: readonly UserConfig[],
  stored: readonly StoredVerifier[] | null,
): readonly Finding[] {
  if (users.length === 0) return []
  if (stored === null) {
    const names = users.map(user => `"${user.name}"`).join(', ')
    const hint = 'Let control_user read pg_authid, or compare rolpassword with shardway.toml by hand.'
    return [warning(where, `whether the verifiers of ${names} are the servers' own cannot be seen`, hint)]
  }
  return users.flatMap(user => {
    const secret = stored.find(one => one.name === user.name)?.secret ?? null
    if (secret !== null && user.password.includes(secret)) return []
    const what = secret === null ? 'has no password on the server' : 'has another verifier on the server'
    const hint = 'Copy rolpassword of pg_authid to every shard and to shardway.toml, or give server_user.'
    return [failure(where, `user "${user.name}" ${what}, so it cannot log in by SCRAM pass-through`, hint)]
  })
}
