/** PgBouncer's commands about databases and processes, with its tags. */
import { errorOf } from '../errors/codes.ts'
import type { ConsoleResult } from '../process/messages.ts'
import type { AdminContext, ShutdownMode } from './context.ts'
import { done } from './result.ts'
import type { Arguments } from './statement.ts'

type Run = (context: AdminContext, args: Arguments) => Promise<ConsoleResult>

export function requireDatabase(context: AdminContext, name: string): void {
  if (!context.config.databases.some(database => database.name === name)) {
    throw errorOf('no_such_object', { kind: 'database', name }, { hint: 'SHOW DATABASES lists them.' })
  }
}

/** The database that a command names; null where it means all. */
function databaseOf(context: AdminContext, args: Arguments): string | null {
  const name = args.values[0] ?? args.options.get('database') ?? null
  if (name !== null) requireDatabase(context, name)
  return name
}

function onDatabase(tag: string, run: (context: AdminContext, database: string | null) => Promise<void> | void): Run {
  return async (context, args) => {
    await run(context, databaseOf(context, args))
    return done(tag)
  }
}

function onOneDatabase(tag: string, run: (context: AdminContext, database: string) => void): Run {
  return onDatabase(tag, (context, database) => {
    if (database === null) throw errorOf('bad_command', { what: tag }, { hint: `${tag} DATABASE` })
    run(context, database)
  })
}

export const pause = onDatabase('PAUSE', (context, database) => context.pause(database))
export const resume = onDatabase('RESUME', (context, database) => context.resume(database))
export const kill = onDatabase('KILL', (context, database) => context.kill(database))
export const reconnect = onDatabase('RECONNECT', (context, database) => context.reconnect(database))
export const waitClose = onDatabase('WAIT_CLOSE', (context, database) => context.waitClose(database))
export const disable = onOneDatabase('DISABLE', (context, database) => context.setDisabled(database, true))
export const enable = onOneDatabase('ENABLE', (context, database) => context.setDisabled(database, false))

const SHUTDOWN_MODES: Readonly<Record<string, ShutdownMode>> = {
  '': 'immediate',
  wait_for_servers: 'wait-for-servers',
  wait_for_clients: 'wait-for-clients',
}

export async function shutdown(context: AdminContext, args: Arguments): Promise<ConsoleResult> {
  const word = args.values[0] ?? ''
  const mode = Object.hasOwn(SHUTDOWN_MODES, word.toLowerCase()) ? SHUTDOWN_MODES[word.toLowerCase()] : undefined
  if (mode === undefined) throw errorOf('bad_command', { what: `SHUTDOWN ${word}` })
  await context.shutdown(mode)
  return done('SHUTDOWN')
}

export async function killClient(context: AdminContext, args: Arguments): Promise<ConsoleResult> {
  const word = args.values[0] ?? ''
  const id = /^[0-9]{1,15}$/.test(word) ? Number(word) : -1
  if (id < 0) {
    const hint = 'KILL_CLIENT takes an id of SHOW CLIENTS.'
    throw errorOf('bad_command', { what: `KILL_CLIENT ${word}` }, { hint })
  }
  if (!(await context.killClient(id))) throw errorOf('no_such_object', { kind: 'client', name: id })
  return done('KILL_CLIENT')
}
