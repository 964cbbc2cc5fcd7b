/** What of a configuration counts at once, and what from the next start. */
import { availableParallelism } from 'node:os'
import { Users } from '../auth/users.ts'
import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import { MAX_WORKERS } from './cancel-keys.ts'

export function workersOf(config: Config): number {
  return config.listen.workers ?? Math.min(availableParallelism(), MAX_WORKERS)
}

/** Limits and shares are divided by the number of workers: every process must know it. */
export function withWorkers(config: Config, workers: number): Config {
  return { ...config, listen: { ...config.listen, workers } }
}

/** Says what a reload cannot change. */
export function logFixed(log: Log, configPath: string, before: Config, next: Config): void {
  for (const what of fixedUntilRestart(before, withWorkers(next, workersOf(next)))) {
    log.warn({ event: 'restart-needed' }, `${what} has changed in ${configPath}: it counts from the next start`)
  }
}

function fixedUntilRestart(before: Config, after: Config): string[] {
  const changed: string[] = (['listen', 'http', 'state'] as const)
    .filter(name => sectionText(before[name]) !== sectionText(after[name]))
    .map(name => `[${name}]`)
  return before.listen.workers === after.listen.workers ? changed : [...changed, 'listen.workers']
}

function sectionText(section: object): string {
  return JSON.stringify({ ...section, workers: 0, tls: null })
}

/** The new configuration, with what a reload cannot change as it was. */
export function reloaded({ listen, http, state }: Config, next: Config): Config {
  const { host, port, workers, reuse_port } = listen
  return { ...next, http, state, listen: { ...next.listen, host, port, workers, reuse_port } }
}

export function logReloadFailure(log: Log, configPath: string, error: unknown): void {
  const problems = error instanceof ConfigError ? error.problems : [String(error)]
  for (const problem of problems) log.error({ event: 'reload-refused' }, problem)
  log.error({ event: 'reload-refused' }, `${configPath} is wrong: nothing has changed`)
}

/** What the log says about a configuration that is served all the same. */
export function notesOf({ config, notes }: LoadedConfig): readonly string[] {
  return [...notes, ...new Users(config).warnings(config.auth.method)]
}
