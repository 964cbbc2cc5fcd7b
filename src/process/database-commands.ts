/** PAUSE, RESUME, DISABLE, ENABLE, KILL and WAIT_CLOSE over all workers: what the console asks of the control process. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AdminContext } from '../admin/context.ts'
import { errorOf } from '../errors/codes.ts'
import type { ServerReport } from './messages.ts'
import type { PoolKeeper } from './pool-keeper.ts'
import type { WorkerRequests } from './reports.ts'

/** Between two looks at whether a command that waits is done. */
const LOOK_MS = 100

export interface DatabaseCommandsOptions {
  readonly pools: PoolKeeper
  readonly requests: WorkerRequests
  /** Serials of the workers that are ready. */
  readonly workers: () => readonly number[]
}

type DatabaseCommands = Pick<
  AdminContext,
  'pause' | 'resume' | 'setDisabled' | 'kill' | 'waitClose' | 'isPaused' | 'allPaused' | 'isDisabled'
>

export function databaseCommands({ pools, requests, workers }: DatabaseCommandsOptions): DatabaseCommands {
  const { states } = pools

  /** The workers' messages keep their order: a report that is asked for after a command has its effect in it. */
  async function someServer(database: string | null, condition: (server: ServerReport) => boolean): Promise<boolean> {
    const reports = await requests.reports()
    // A worker that did not answer may hold any number.
    if (reports.length < workers().length) return true
    const all = reports.flatMap(report => report.servers)
    return all.some(server => (database === null || server.database === database) && condition(server))
  }

  return {
    pause: async database => {
      states.pause(database)
      pools.tellPaused()
      const paused = (): boolean => (database === null ? states.allPaused : states.isPaused(database))
      // One report may have been under way before the workers were told.
      await requests.reports()
      while (await someServer(database, () => true)) {
        if (!paused()) throw errorOf('wrong_state', { what: 'RESUME came before all servers were released' })
        await sleep(LOOK_MS)
      }
    },
    resume: database => {
      states.resume(database)
      pools.tellPaused()
    },
    setDisabled: (database, disabled) => states.setDisabled(database, disabled),
    kill: async database => {
      states.hold(database)
      pools.tellPaused()
      const failure = await requests.command(workers(), { kind: 'kill', database })
      if (failure !== null) throw errorOf('command_failed', { message: failure })
    },
    waitClose: async database => {
      await requests.reports()
      while (await someServer(database, server => server.closeNeeded)) await sleep(LOOK_MS)
    },
    isPaused: database => states.isPaused(database),
    allPaused: () => states.allPaused,
    isDisabled: database => states.isDisabled(database),
  }
}
