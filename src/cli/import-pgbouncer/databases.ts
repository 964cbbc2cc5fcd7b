/** One entry of [databases] → one of [[databases]] with one shard. */
import type { ControlLogin } from './lookup.ts'
import { type Note, seconds, type Table, whole } from './values.ts'

export type DatabaseTable = Table & { readonly name: string }

const POOL_COUNTS: Readonly<Record<string, string>> = {
  pool_size: 'default_pool_size',
  min_pool_size: 'min_pool_size',
  reserve_pool_size: 'reserve_pool_size',
  reserve_pool: 'reserve_pool_size',
  max_db_connections: 'max_db_connections',
  max_db_client_connections: 'max_db_client_connections',
}
const POOL_TIMES: readonly string[] = ['query_wait_timeout', 'server_lifetime']
const TAKEN: ReadonlySet<string> = new Set(['host', 'port', 'dbname', 'user', 'password', 'pool_mode', 'auth_user'])

export function convertDatabase(
  name: string,
  pairs: ReadonlyMap<string, string>,
  at: string,
  control: ControlLogin | undefined,
  notes: Note[],
): DatabaseTable[] {
  const say = (setting: string, note: string): void =>
    void notes.push({ setting: `[databases] ${name} ${setting}`.trim(), at, note })
  if (name === '*') {
    say('', 'no equivalent: list each database by its name')
    return []
  }
  const port = pairs.get('port') ?? '5432'
  const hosts = (pairs.get('host') ?? '').split(',').map(one => one.trim())
  const nodes = hosts.map(host => {
    if (host !== '' && !host.startsWith('/')) return `${host.includes(':') ? `[${host}]` : host}:${port}`
    say('host', 'a Unix socket has no equivalent: 127.0.0.1 is used')
    return `127.0.0.1:${port}`
  })
  const pool: Table = {}
  for (const [key, value] of pairs) {
    const count = POOL_COUNTS[key]
    // 0 is no limit there, and no pool here.
    if (count === 'default_pool_size' && value === '0') say(key, '0 (no limit) has no equivalent: left out')
    else if (count !== undefined) pool[count] = whole(value, at)
    else if (POOL_TIMES.includes(key)) pool[key] = seconds(value, at)
    else if (key === 'pool_mode') pool['mode'] = value
    else if (!TAKEN.has(key)) say(key, 'no equivalent')
  }
  const user = pairs.get('user')
  const password = pairs.get('password')
  const database: Table = {}
  if (user !== undefined) {
    database['server_user'] = user
    if (password !== undefined) database['server_password'] = password
  } else if (password !== undefined) say('password', 'no equivalent without user')
  const login = control ?? (user === undefined ? undefined : { user, password })
  if (login === undefined) {
    say('', 'add control_user and control_password: Shardway needs a login of its own to find the primary')
  } else {
    database['control_user'] = login.user
    if (login.password !== undefined) database['control_password'] = login.password
    else if (control !== undefined) {
      say('auth_user', `add control_password: auth_file has no plain password of "${login.user}"`)
    }
    const does = `finds the primary${control === undefined ? '' : ', runs [auth] query'} and reads the catalog`
    say('', `control_user is "${login.user}": it ${does}; "shardway check" says what it lacks`)
  }
  if (Object.keys(pool).length > 0) database['pool'] = pool
  database['shards'] = [{ name: 's0', nodes, dbname: pairs.get('dbname') ?? name }]
  return [{ name, ...database }]
}
