/** Sends one console statement to a running proxy, over the simple protocol. */
import { userInfo } from 'node:os'
import { Client, DatabaseError } from 'pg'
import type { CliResult } from './output.ts'

export const DEFAULT_ADMIN_URL = 'postgres://127.0.0.1:6432/shardway'

/** Types whose cells are numbers: int8, int2, int4, numeric. */
const NUMBER_TYPES: ReadonlySet<number> = new Set([20, 21, 23, 1700])
const CONNECT_TIMEOUT_MS = 10_000
const CONSOLE_NAMES: ReadonlySet<string> = new Set(['shardway', 'pgbouncer'])

/** A refusal or failure, with what to do about it. */
export class CommandFailed extends Error {
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.name = 'CommandFailed'
    this.hint = hint
  }
}

export interface ConsoleAnswer {
  readonly result: CliResult
  readonly notices: readonly string[]
}

/** `url` as given by --admin or SHARDWAY_ADMIN. User and password as libpq finds them where the URL has none. */
export async function askConsole(url: string, sql: string): Promise<ConsoleAnswer> {
  const client = new Client({
    connectionString: withUser(url),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'shardway-cli',
    types: { getTypeParser: () => (value: string) => value },
  })
  const notices: string[] = []
  client.on('notice', notice => notices.push(notice.message ?? ''))
  // A connection that breaks later is reported by the query that was running.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    throw connectFailed(url, error)
  }
  try {
    const answer = await client.query<Array<string | null>>({ text: sql, rowMode: 'array' })
    return {
      result: {
        tag: answer.command ?? '',
        columns: answer.fields.map(field => ({ name: field.name, number: NUMBER_TYPES.has(field.dataTypeID) })),
        rows: answer.rows,
      },
      notices,
    }
  } catch (error) {
    throw failed(url, error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** The URL without its password, for messages. */
export function shownUrl(url: string): string {
  try {
    const parsed = new URL(url)
    parsed.password = ''
    parsed.search = ''
    return parsed.toString()
  } catch {
    return 'the URL given'
  }
}

/** libpq falls back to the name of the operating system's user, also where $USER is not set. */
function withUser(url: string): string {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new CommandFailed('--admin is not a URL', `For example ${DEFAULT_ADMIN_URL}`)
  }
  if (parsed.username === '') parsed.username = encodeURIComponent(process.env['PGUSER'] ?? userInfo().username)
  return parsed.toString()
}

function connectFailed(url: string, error: unknown): CommandFailed {
  const shown = shownUrl(url)
  if (error instanceof DatabaseError) {
    const hint = error.code === '28P01' ? 'Set PGUSER and PGPASSWORD, or give them in --admin.' : error.hint
    return new CommandFailed(`${shown}: ${error.message}`, hint)
  }
  const code = (error as NodeJS.ErrnoException).code
  const reason = code ?? (error instanceof Error && error.message !== '' ? error.message : 'no answer')
  return new CommandFailed(
    `cannot reach the admin console at ${shown}: ${reason}`,
    'Is "shardway serve" running there? --admin URL or SHARDWAY_ADMIN names another place.',
  )
}

function failed(url: string, error: unknown): CommandFailed {
  if (error instanceof DatabaseError) {
    // Commands are no SQL: a database of the users' answers them with a syntax error.
    if (error.code === '42601' && !CONSOLE_NAMES.has(new URL(url).pathname.slice(1))) {
      return new CommandFailed(`${shownUrl(url)} is not the admin console`, `For example ${DEFAULT_ADMIN_URL}`)
    }
    const detail = error.detail === undefined ? '' : `\n${error.detail}`
    return new CommandFailed(`${error.message}${detail}`, error.hint)
  }
  return new CommandFailed(error instanceof Error ? error.message : String(error))
}
