/** PgBouncer's commands about databases and processes, with its tags. */
import { errorOf } from '../errors/codes.ts'
import type { ConsoleResult, WorkerReport } from '../process/messages.ts'
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

/** From an id, which is one client's over all workers, or from the `ptr` that SHOW CLIENTS prints (`c0-7`). */
function clientOf(word: string): { readonly id: number; readonly worker?: number } | undefined {
  if (/^[0-9]{1,15}$/.test(word)) return { id: Number(word) }
  const [, worker, id] = /^c([0-9]{1,9})-([0-9]{1,15})$/.exec(word) ?? []
  return worker === undefined ? undefined : { id: Number(id), worker: Number(worker) }
}

function hasClient(report: WorkerReport, worker: number, id: number): boolean {
  return report.clients.some(client => client.worker === worker && client.id === id)
}

export async function killClient(context: AdminContext, args: Arguments): Promise<ConsoleResult> {
  const word = args.values[0] ?? ''
  const client = clientOf(word)
  if (client === undefined) {
    const hint = 'KILL_CLIENT takes an id or ptr of SHOW CLIENTS.'
    throw errorOf('bad_command', { what: `KILL_CLIENT ${word}` }, { hint })
  }
  const { id, worker } = client
  const there = worker === undefined || (await context.reports()).some(report => hasClient(report, worker, id))
  if (!there || !(await context.killClient(id))) throw errorOf('no_such_object', { kind: 'client', name: word })
  return done('KILL_CLIENT')
}
