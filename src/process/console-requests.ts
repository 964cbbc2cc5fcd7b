/** Console statements that workers pass on: who asks, and what the console may use of the control process. */
import type { AdminContext } from '../admin/context.ts'
import { runConsole } from '../admin/console.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Log } from '../observe/log.ts'
import type { ToControl, ToWorker } from './messages.ts'

export type ConsoleRequest = Extract<ToControl, { type: 'console' }>

/** Everything of AdminContext that does not depend on who asks. */
export type ConsoleServices = Omit<AdminContext, 'user' | 'rights' | 'alias'>

function errorText(error: unknown): string {
  if (!(error instanceof ShardwayError)) return error instanceof Error ? error.message : String(error)
  return error.message
}

export async function answerConsole(request: ConsoleRequest, services: ConsoleServices, log: Log): Promise<ToWorker> {
  const user = services.config.users.find(one => one.name === request.user)
  const context: AdminContext = {
    ...services,
    user: request.user,
    rights: { admin: user?.admin ?? false, stats: user?.stats ?? false },
    alias: request.alias === 'pgbouncer' ? 'pgbouncer' : 'shardway',
  }
  try {
    const result = await runConsole(request.sql, context)
    return { type: 'answer', request: request.request, result, error: null }
  } catch (error) {
    if (!(error instanceof ShardwayError)) log.error({ event: 'console-failed', error }, 'a console statement failed')
    const wire =
      error instanceof ShardwayError
        ? {
            sqlstate: error.sqlstate,
            code: error.code,
            ...(error.detail === undefined ? {} : { detail: error.detail }),
            ...(error.hint === undefined ? {} : { hint: error.hint }),
          }
        : null
    return {
      type: 'answer',
      request: request.request,
      result: null,
      error: errorText(error),
      ...(wire === null ? {} : { fields: wire }),
    }
  }
}
