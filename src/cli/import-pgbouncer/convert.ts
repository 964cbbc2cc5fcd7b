/** pgbouncer.ini and its userlist → the content of shardway.toml, and a note for whatever has no equivalent. Pure. */
import { convertDatabase, type DatabaseTable } from './databases.ts'
import { type IniEntry, readPairs } from './ini.ts'
import { convertLookup } from './lookup.ts'
import { CONVERTED, COUNTS, noteOf, TIMES } from './settings.ts'
import { convertUsers, type UserTable } from './users.ts'
import { type Note, seconds, type Table, type Userlist, whole } from './values.ts'

export interface Converted {
  readonly sections: Table
  readonly users: UserTable[]
  readonly databases: DatabaseTable[]
  readonly notes: Note[]
}

/** Last one wins, as there. */
function lastOf(entries: readonly IniEntry[]): Map<string, IniEntry> {
  return new Map(entries.map(entry => [entry.name.toLowerCase(), entry]))
}

/** @throws ImportError for what PgBouncer would not read either */
export function convert(entries: readonly IniEntry[], userlist: Userlist): Converted {
  const notes: Note[] = []
  const settings = lastOf(entries.filter(entry => entry.section === 'pgbouncer'))
  const databaseLines = entries
    .filter(entry => entry.section === 'databases')
    .map(({ name, value, at }) => ({ name, at, pairs: readPairs(value, at) }))
  const method = authMethod(settings, notes)
  const lookup = convertLookup(settings, databaseLines, userlist, notes)
  const auth: Table = { method }
  const hbaFile = settings.get('auth_hba_file')
  if (method === 'hba' && hbaFile !== undefined) {
    auth['hba_file'] = hbaFile.value
    notes.push({
      setting: 'auth_hba_file',
      at: hbaFile.at,
      note: 'the same form; "shardway check" names the lines that have no equivalent',
    })
  }
  if (lookup.query !== '') auth['query'] = lookup.query
  const sections: Table = {
    listen: listenSection(settings, notes),
    auth,
    pool: poolSection(settings, notes),
  }
  const server = serverTls(settings)
  if (Object.keys(server).length > 0) sections['server'] = { tls: server }
  for (const [name, { at }] of settings) {
    if (CONVERTED.has(name) || COUNTS.has(name) || TIMES.has(name)) continue
    notes.push({ setting: name, at, note: noteOf(name) })
  }
  const databases = databaseLines.flatMap(({ name, pairs, at }) =>
    convertDatabase(name, pairs, at, lookup.control(pairs), notes),
  )
  const own = entries.filter(entry => entry.section === 'users')
  const users = convertUsers(userlist, own, settings, method, notes)
  for (const entry of entries) {
    if (['pgbouncer', 'databases', 'users'].includes(entry.section)) continue
    notes.push({ setting: `[${entry.section}] ${entry.name}`, at: entry.at, note: 'no equivalent' })
  }
  return { sections, users, databases, notes }
}

function listenSection(settings: ReadonlyMap<string, IniEntry>, notes: Note[]): Table {
  const listen: Table = {}
  const address = settings.get('listen_addr')
  const [first, ...others] = (address?.value ?? '').split(',').map(one => one.trim())
  if (first !== undefined && first !== '') listen['host'] = first === '*' ? '0.0.0.0' : first
  else
    notes.push({ setting: 'listen_addr', at: address?.at ?? '', note: 'absent: Unix sockets only; 127.0.0.1 is used' })
  if (address !== undefined && first === '*') {
    notes.push({ setting: 'listen_addr', at: address.at, note: '* becomes 0.0.0.0: every IPv4 address, no IPv6' })
  }
  if (address !== undefined && others.length > 0) {
    notes.push({ setting: 'listen_addr', at: address.at, note: `one address only: ${others.join(', ')} left out` })
  }
  const port = settings.get('listen_port')
  if (port !== undefined) listen['port'] = whole(port.value, port.at)
  const tls: Table = {}
  const mode = settings.get('client_tls_sslmode')
  if (mode !== undefined) tls['mode'] = mode.value
  for (const name of ['cert', 'key', 'ca'] as const) {
    const file = settings.get(`client_tls_${name}_file`)
    if (file !== undefined && file.value !== '') tls[name] = file.value
  }
  if (Object.keys(tls).length > 0) listen['tls'] = tls
  return listen
}

function serverTls(settings: ReadonlyMap<string, IniEntry>): Table {
  const tls: Table = {}
  const mode = settings.get('server_tls_sslmode')
  if (mode !== undefined) tls['mode'] = mode.value
  const ca = settings.get('server_tls_ca_file')
  if (ca !== undefined && ca.value !== '') tls['ca'] = ca.value
  return tls
}

const METHODS: Readonly<Record<string, string>> = {
  'scram-sha-256': 'scram-sha-256',
  md5: 'md5',
  plain: 'plain',
  cert: 'cert',
  trust: 'trust',
  hba: 'hba',
}

function authMethod(settings: ReadonlyMap<string, IniEntry>, notes: Note[]): string {
  const type = settings.get('auth_type')
  const wanted = type?.value ?? 'md5'
  if (Object.hasOwn(METHODS, wanted)) return wanted
  notes.push({ setting: 'auth_type', at: type?.at ?? '', note: `"${wanted}" has no equivalent: scram-sha-256 is used` })
  return 'scram-sha-256'
}

/** Its defaults where ours differ: what the file does not say must mean the same afterwards. */
const DEFAULTS: Table = { mode: 'session', max_client_conn: 100 }

function poolSection(settings: ReadonlyMap<string, IniEntry>, notes: Note[]): Table {
  const pool: Table = { ...DEFAULTS }
  for (const [name, { value, at }] of settings) {
    if (name === 'pool_mode') pool['mode'] = value
    else if (name === 'server_check_query') pool[name] = value
    else if (COUNTS.has(name)) pool[name] = whole(value, at)
    else if (TIMES.has(name)) pool[name] = seconds(value, at)
  }
  if (pool['default_pool_size'] === 0) {
    pool['default_pool_size'] = 1000
    const at = settings.get('default_pool_size')?.at ?? ''
    notes.push({ setting: 'default_pool_size', at, note: '0 (no limit) has no equivalent: 1000 is used' })
  }
  return pool
}
