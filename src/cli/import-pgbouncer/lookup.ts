/** auth_query and auth_user → `[auth] query` and each database's control_user, as whom it runs. */
import type { IniEntry } from './ini.ts'
import { isMd5Hash } from './users.ts'
import type { Note, Userlist } from './values.ts'

export interface ControlLogin {
  readonly user: string
  /** Undefined: not known in clear text. */
  readonly password: string | undefined
}

export interface Lookup {
  /** '': users are not looked up. */
  readonly query: string
  /** Who runs it in the database of these pairs; undefined where PgBouncer looks nobody up. */
  readonly control: (pairs: ReadonlyMap<string, string>) => ControlLogin | undefined
}

/** PgBouncer's own, before 1.23 and since. */
const ITS_DEFAULTS: ReadonlySet<string> = new Set([
  'select usename, passwd from pg_shadow where usename=$1',
  'select rolname, case when rolvaliduntil < now() then null else rolpassword end from pg_authid where rolname=$1 and rolcanlogin',
])

export function convertLookup(
  settings: ReadonlyMap<string, IniEntry>,
  databases: ReadonlyArray<{ readonly name: string; readonly pairs: ReadonlyMap<string, string>; readonly at: string }>,
  userlist: Userlist,
  notes: Note[],
): Lookup {
  const everywhere = settings.get('auth_user')?.value ?? ''
  const userOf = (pairs: ReadonlyMap<string, string>): string => pairs.get('auth_user') ?? everywhere
  const query = settings.get('auth_query')
  const own = databases.filter(({ pairs }) => pairs.has('auth_user'))
  if (everywhere === '' && own.length === 0) {
    if (query !== undefined) notes.push({ setting: 'auth_query', at: query.at, note: 'without auth_user: left out' })
    return { query: '', control: () => undefined }
  }
  if (everywhere === '' && own.length < databases.length) {
    const note = '[auth] query looks users up for every database, not for this one alone'
    for (const { name, at } of own) notes.push({ setting: `[databases] ${name} auth_user`, at, note })
  }
  return {
    query: queryOf(query, notes),
    control: pairs => {
      const user = userOf(pairs)
      if (user === '') return undefined
      const secret = userlist.find(one => one.name === user)?.secret ?? ''
      const clear = secret !== '' && !isMd5Hash(secret) && !secret.startsWith('SCRAM-SHA-256$')
      return { user, password: clear ? secret : undefined }
    },
  }
}

function queryOf(query: IniEntry | undefined, notes: Note[]): string {
  if (query === undefined) return 'default'
  const say = (note: string): void => void notes.push({ setting: 'auth_query', at: query.at, note })
  const plain = query.value.trim().replace(/;$/, '').replace(/\s+/g, ' ').replace(/ ?= ?/g, '=').toLowerCase()
  if (ITS_DEFAULTS.has(plain)) return 'default'
  if (!/\$1(?!\d)/.test(query.value)) {
    say('has no $1 for the name: "default" is used')
    return 'default'
  }
  say('runs as control_user with search_path = pg_catalog: what is elsewhere needs its schema')
  return query.value
}
