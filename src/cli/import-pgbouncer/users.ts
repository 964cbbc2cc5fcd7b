/** The userlist, [users], admin_users and stats_users → [[users]]. */
import { type IniEntry, readPairs } from './ini.ts'
import { type Note, seconds, type Table, type Userlist, whole } from './values.ts'

export type UserTable = Table & { readonly name: string }

const POOL_COUNTS: Readonly<Record<string, string>> = {
  pool_size: 'default_pool_size',
  reserve_pool_size: 'reserve_pool_size',
  max_user_connections: 'max_user_connections',
  max_user_client_connections: 'max_user_client_connections',
}
const POOL_TIMES: readonly string[] = [
  'query_timeout',
  'query_wait_timeout',
  'idle_transaction_timeout',
  'transaction_timeout',
  'client_idle_timeout',
]

/** Why a user with an md5 hash is left out. */
export const MD5_NEEDS_METHOD =
  'an md5 hash needs [auth] method = "md5": give the password or the SCRAM verifier of pg_authid; left out'

export function isMd5Hash(secret: string): boolean {
  return /^md5[0-9a-f]{32}$/.test(secret)
}

function names(entry: IniEntry | undefined): string[] {
  return (entry?.value ?? '')
    .split(',')
    .map(one => one.trim())
    .filter(one => one !== '')
}

export function convertUsers(
  userlist: Userlist,
  own: readonly IniEntry[],
  settings: ReadonlyMap<string, IniEntry>,
  method: string,
  notes: Note[],
): UserTable[] {
  const admins = new Set(names(settings.get('admin_users')))
  const watchers = new Set(names(settings.get('stats_users')))
  const pools = new Map(own.map(entry => [entry.name, userPool(entry, notes)]))
  // Without a password nobody proves anything; but trust asks for none.
  const trust = method === 'trust'
  const users: UserTable[] = []
  for (const { name, secret, at } of userlist) {
    if (!trust && secret === '') {
      notes.push({ setting: `user "${name}"`, at, note: 'has no password and is left out' })
      continue
    }
    // Nobody entered with one there either: SCRAM cannot be done from it.
    if (method === 'scram-sha-256' && isMd5Hash(secret)) {
      notes.push({ setting: `user "${name}"`, at, note: MD5_NEEDS_METHOD })
      continue
    }
    const pool = pools.get(name)
    users.push({
      name,
      ...(secret === '' ? {} : { password: secret }),
      ...(admins.has(name) ? { admin: true } : {}),
      ...(watchers.has(name) ? { stats: true } : {}),
      ...(pool === undefined || Object.keys(pool).length === 0 ? {} : { pool }),
    })
  }
  const known = new Set(users.map(user => user.name))
  for (const [what, list] of [
    ['admin_users', admins],
    ['stats_users', watchers],
  ] as const) {
    for (const name of list) {
      if (known.has(name)) continue
      const at = settings.get(what)?.at ?? ''
      notes.push({
        setting: what,
        at,
        note: `user "${name}" is not among [[users]]: add it with ${what === 'admin_users' ? 'admin' : 'stats'} = true`,
      })
    }
  }
  for (const entry of own) {
    if (known.has(entry.name)) continue
    notes.push({ setting: `[users] ${entry.name}`, at: entry.at, note: 'the user is not in auth_file: left out' })
  }
  return users
}

function userPool(entry: IniEntry, notes: Note[]): Table {
  const pool: Table = {}
  for (const [key, value] of readPairs(entry.value, entry.at)) {
    const count = POOL_COUNTS[key]
    if (count === 'default_pool_size' && value === '0') continue
    if (count !== undefined) pool[count] = whole(value, entry.at)
    else if (POOL_TIMES.includes(key)) pool[key] = seconds(value, entry.at)
    else if (key === 'pool_mode') pool['mode'] = value
    else notes.push({ setting: `[users] ${entry.name} ${key}`, at: entry.at, note: 'no equivalent' })
  }
  return pool
}
