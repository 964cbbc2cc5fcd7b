/** `shardway import-pgbouncer FILE`: reads the files, writes the equivalent, and says what has none. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { stringify } from 'smol-toml'
import { ConfigError } from '../../config/config-error.ts'
import { parseConfig } from '../../config/load.ts'
import { convert, type Converted } from './convert.ts'
import { ImportError, readIni, readUserlist } from './ini.ts'
import { isMd5Hash, MD5_NEEDS_METHOD, type UserTable } from './users.ts'
import type { Note } from './values.ts'

export interface Imported {
  /** Text of shardway.toml; the loader takes it. */
  readonly toml: string
  readonly notes: readonly Note[]
}

/** @throws ImportError, ConfigError when even the rest of the file cannot be served */
export function importPgbouncer(file: string): Imported {
  const folder = dirname(resolve(file))
  const at = (name: string): string => (isAbsolute(name) ? name : resolve(folder, name))
  const entries = readIni(file, (name, from) => readText(from === '' ? resolve(name) : at(name), name))
  const authFile = entries.findLast(entry => entry.section === 'pgbouncer' && entry.name.toLowerCase() === 'auth_file')
  const unread: Note[] = []
  const userlist =
    authFile === undefined
      ? []
      : readUserlist(readText(at(authFile.value), authFile.value), authFile.value, place => {
          unread.push({ setting: 'auth_file', at: place, note: 'not of the form "user" "password": left out' })
        })
  const converted = convert(entries, userlist)
  return fitted({ ...converted, notes: [...unread, ...converted.notes] }, folder)
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw new ImportError(`${name}: ${code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`}`)
  }
}

/**
 * What this release cannot do is replaced by what comes nearest, with a note: the loader is asked, so that nothing is
 * replaced which it takes.
 */
function fitted(converted: Converted, folder: string): Imported {
  const notes = [...converted.notes]
  const sections: Record<string, unknown> = structuredClone(converted.sections)
  let users: readonly UserTable[] = converted.users
  const print = (): string => stringify({ ...sections, users, databases: converted.databases })
  if (converted.databases.length === 0) {
    throw new ImportError('[databases] has no entry with a name: Shardway needs each database listed')
  }
  const first = problemsOf(print(), folder)
  const nearest: ReadonlyArray<readonly [path: string, section: string, to: string]> = [
    ['auth.', 'auth', 'scram-sha-256'],
    ['listen.tls.mode', 'listen', 'require'],
  ]
  for (const [path, section, to] of nearest) {
    const problem = first.find(one => one.startsWith(path))
    if (problem === undefined) continue
    notes.push({
      setting: path === 'auth.' ? 'auth_type' : 'client_tls_sslmode',
      at: '',
      note: `${problem}; "${to}" is used`,
    })
    if (section === 'auth') {
      const { query } = sections['auth'] as { query?: string }
      sections['auth'] = { method: to, ...(query === undefined ? {} : { query }) }
      users = users.filter(user => {
        if (typeof user['password'] !== 'string' || !isMd5Hash(user['password'])) return true
        notes.push({ setting: `user "${user.name}"`, at: '', note: MD5_NEEDS_METHOD })
        return false
      })
    } else {
      const listen = sections['listen'] as Record<string, unknown>
      sections['listen'] = { ...listen, tls: { ...(listen['tls'] as Record<string, unknown>), mode: to } }
    }
  }
  // Without server_user a user's own password is needed for the servers; a verifier is none.
  const forced = converted.databases.filter(one => 'server_user' in one).map(one => one.name)
  if (problemsOf(print(), folder).some(one => one.includes('needs a plain password'))) {
    users = users.map(user => {
      const { password } = user
      if (typeof password !== 'string' || !password.startsWith('SCRAM-SHA-256$')) return user
      const note = 'a verifier is no login to the servers: give its password, or the databases a server_user'
      notes.push({ setting: `user "${user.name}"`, at: '', note })
      return { ...user, databases: forced }
    })
  }
  const toml = print()
  const left = problemsOf(toml, folder)
  if (left.length > 0) throw new ConfigError('the result', left)
  return { toml, notes }
}

function problemsOf(toml: string, folder: string): readonly string[] {
  try {
    parseConfig(toml, folder, {})
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

export interface ImportOptions {
  readonly output?: string
  readonly json?: boolean
}

/** The result goes to standard output or a new file that only its owner may read; the notes to standard error. */
export function runImport(file: string, options: ImportOptions): void {
  const { toml, notes } = importPgbouncer(file)
  if (options.output === undefined) process.stdout.write(toml)
  else writeNew(options.output, toml)
  if (options.json === true) process.stderr.write(`${JSON.stringify(notes, null, 2)}\n`)
  else
    for (const { setting, at, note } of notes)
      process.stderr.write(`${at === '' ? '' : `${at}: `}${setting}: ${note}\n`)
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw new ImportError(`${path}: ${code === 'EEXIST' ? 'is there already' : `cannot be written (${code})`}`)
  }
}
