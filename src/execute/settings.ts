/** Session settings that are carried from server to server: how they are laid on one, and where they come from. */
import { type Settings, settingsOf } from '../../pool/server-state.ts'
import { shardwayName } from '../../router/options.ts'
import { ShardwayError } from '../errors/shardway-error.ts'

/** Settings that decide which others may be set: taken off first, laid on last. */
const IDENTITY = ['role', 'session_authorization']

export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** Who the session is: RESET ALL leaves it alone. */
export function isIdentity(name: string): boolean {
  return IDENTITY.includes(name)
}

/** Only names that Postgres itself would take as a setting; anything else never gets into a statement. */
export function isSettingName(name: string): boolean {
  return /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)*$/i.test(name)
}

/** One simple query that turns a server's settings `from` into `to`. */
export function settingsChange(from: Settings, to: Settings): string {
  const statements: string[] = []
  const gone = [...from.values.keys()].filter(name => !to.values.has(name))
  for (const name of gone.sort(identityFirst)) {
    statements.push(name === 'session_authorization' ? 'RESET SESSION AUTHORIZATION' : `RESET ${name}`)
  }
  const changed = [...to.values].filter(([name, value]) => from.values.get(name) !== value)
  changed.sort((a, b) => identityFirst(b[0], a[0]))
  const calls = changed.map(
    ([name, value]) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`,
  )
  return [...statements, ...selectsOf(calls)].join('; ')
}

function identityFirst(a: string, b: string): number {
  return Number(IDENTITY.includes(b)) - Number(IDENTITY.includes(a))
}

/** The schemas that unqualified names are looked for in, as JSON: `$user`, rights and missing schemas are the server's to know. */
export const PATH_QUERY = 'pg_catalog.array_to_json(pg_catalog.current_schemas(false))::pg_catalog.text'

export function readPath(json: string | null): readonly string[] {
  const names: unknown = JSON.parse(json ?? '[]')
  return Array.isArray(names) ? names.map(String) : []
}

/** A setting that the search path depends on. */
export function decidesPath(name: string): boolean {
  return name === 'search_path' || isIdentity(name)
}

/** Reads them one row each, and no path. */
export function showQuery(names: readonly string[]): string {
  return names.map(name => `SHOW "${name.split('.').join('"."')}"`).join('; ')
}

/** Reads the values of settings that the session's statements may have changed, and the search path behind them. */
export function settingsQuery(names: Iterable<string>): string {
  const parts = [...names].map(name => `pg_catalog.current_setting(${quoteLiteral(name)}, true)`)
  return selectsOf([...parts, PATH_QUERY]).join('; ')
}

/** A target list has room for 1664 entries. */
const MAX_COLUMNS = 1000

function selectsOf(expressions: readonly string[]): string[] {
  const selects: string[] = []
  for (let at = 0; at < expressions.length; at += MAX_COLUMNS) {
    selects.push(`SELECT ${expressions.slice(at, at + MAX_COLUMNS).join(', ')}`)
  }
  return selects
}

/** Startup parameters that are not settings of the session. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication'])

/** What a session begins with. */
export interface Startup {
  readonly settings: Settings
  /** By NAME of shardway.NAME. */
  readonly options: ReadonlyMap<string, string>
}

const NO_OPTIONS: ReadonlyMap<string, string> = new Map()

/** From a startup packet: its own names and those in `options`. Throws 22023 on an option nobody could apply. */
export function readStartup(parameters: ReadonlyMap<string, string>): Startup {
  const values = new Map<string, string>()
  for (const [name, value] of commandLineOptions(parameters.get('options') ?? '')) values.set(name.toLowerCase(), value)
  for (const [name, value] of parameters) {
    if (NOT_SETTINGS.has(name) || name.startsWith('_pq_.')) continue
    if (!isSettingName(name)) throw new ShardwayError('bad_startup', '22023', `unsupported startup parameter: ${name}`)
    values.set(name.toLowerCase(), value)
  }
  let options: Map<string, string> | null = null
  for (const [name, value] of values) {
    const own = shardwayName(name)
    if (own === null) continue
    values.delete(name)
    options = (options ?? new Map<string, string>()).set(own, value)
  }
  return { settings: settingsOf(values), options: options ?? NO_OPTIONS }
}

/** `-c name=value`, `-cname=value` and `--name=value`, backslash-escaped blanks, as Postgres splits them. */
function commandLineOptions(text: string): [string, string][] {
  const words: string[] = []
  let word: string | null = null
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    // One at the very end stands for nothing.
    if (char === '\\') word = (word ?? '') + (text[++i] ?? '')
    else if (/[ \t\n\v\f\r]/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + char
  }
  if (word !== null) words.push(word)
  const options: [string, string][] = []
  for (let i = 0; i < words.length; i++) {
    let option = words[i] ?? ''
    if (option === '-c') option = `--${words[++i] ?? ''}`
    else if (option.startsWith('-c')) option = `--${option.slice(2)}`
    const equals = option.indexOf('=')
    const name = option.slice(2, equals).replaceAll('-', '_')
    if (!option.startsWith('--') || equals < 0 || !isSettingName(name)) {
      throw new ShardwayError('bad_startup', '22023', `unsupported startup option: ${words[i] ?? ''}`, {
        hint: 'Of `options`, `-c name=value` and `--name=value` are taken.',
      })
    }
    options.push([name, option.slice(equals + 1)])
  }
  return options
}
