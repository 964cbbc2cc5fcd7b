/** Runs one statement of the admin console. */
import { errorOf } from '../errors/codes.ts'
import type { ConsoleResult } from '../process/messages.ts'
import { findCommand, mayRun } from './commands.ts'
import type { AdminContext } from './context.ts'
import { done, listing, text } from './result.ts'
import { parseArguments, parseStatement } from './statement.ts'

const OPTION_NAMES = ['database', 'to', 'node', 'dbname', 'type', 'replication_address']

/** What drivers ask for by SHOW name right after they connect. */
const PARAMETERS: Readonly<Record<string, string>> = {
  application_name: '',
  client_encoding: 'UTF8',
  datestyle: 'ISO, MDY',
  default_transaction_isolation: 'read committed',
  server_encoding: 'UTF8',
  server_version: '18.0',
  standard_conforming_strings: 'on',
  timezone: 'UTC',
  transaction_isolation: 'read committed',
}

/** What drivers set there. */
const SETTABLE: ReadonlySet<string> = new Set([
  ...Object.keys(PARAMETERS),
  'client_min_messages',
  'extra_float_digits',
  'intervalstyle',
  'search_path',
  'session',
  'statement_timeout',
])

/** Drivers set things that mean nothing here; settings of the proxy are changed in its file. */
function set(word: string): ConsoleResult {
  const name = (word.split('=')[0] ?? '').toLowerCase()
  if (SETTABLE.has(name)) return done('SET')
  const hint = 'Change shardway.toml and say RELOAD; SHOW CONFIG tells what that changes.'
  throw errorOf('bad_command', { what: `SET ${name}` }, { hint })
}

/** An empty statement gives an empty tag: the session answers EmptyQueryResponse. @throws ShardwayError */
export async function runConsole(sql: string, context: AdminContext): Promise<ConsoleResult> {
  if (!context.rights.admin && !context.rights.stats) {
    throw errorOf('not_allowed', { user: context.user, what: 'use the admin console' })
  }
  const statement = parseStatement(sql)
  const words = statement.words.map(word => (word.quoted ? ` ${word.text}` : word.text))
  const first = words[0]
  if (first === undefined) return done('')
  // PgBouncer takes SELECT for SHOW.
  if (first.toLowerCase() === 'select') words[0] = 'show'
  if (first.toLowerCase() === 'set') return set(words[1] ?? '')

  const found = findCommand(words)
  if (found === null) {
    const parameter = words[0]?.toLowerCase() === 'show' && words.length === 2 ? (words[1] ?? '').toLowerCase() : ''
    if (Object.hasOwn(PARAMETERS, parameter)) {
      return listing<string>('SHOW', [text(parameter, row => row)], [PARAMETERS[parameter] ?? ''])
    }
    const shown = statement.sql.length > 60 ? `${statement.sql.slice(0, 57)}...` : statement.sql
    throw errorOf('bad_command', { what: shown })
  }
  const { command } = found
  if (!mayRun(context, command)) {
    throw errorOf('not_allowed', { user: context.user, what: `run ${command.name.toUpperCase()}` })
  }
  if (command.run === null) throw errorOf('not_yet', { what: command.name.toUpperCase() })
  const args = parseArguments(statement, found.words, OPTION_NAMES)
  if (args.values.length > command.maxValues) {
    const extra = args.values[command.maxValues] ?? ''
    throw errorOf('bad_command', { what: `${command.name.toUpperCase()} ... ${extra}` }, { hint: command.syntax })
  }
  if (args.values.length < command.minValues) {
    throw errorOf('bad_command', { what: command.name.toUpperCase() }, { hint: command.syntax })
  }
  return await command.run(context, args)
}
