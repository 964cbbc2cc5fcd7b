/** What of a configuration counts at once, and what from the next start. */
import { availableParallelism } from 'node:os'
import { Users } from '../auth/users.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { MAX_WORKERS } from './cancel-keys.ts'

export function workersOf(config: Config): number {
  return config.listen.workers ?? Math.min(availableParallelism(), MAX_WORKERS)
}

/** Limits and shares are divided by the number of workers: every process must know it. */
export function withWorkers(config: Config, workers: number): Config {
  return { ...config, listen: { ...config.listen, workers } }
}

/** What a reload cannot change. */
export function fixedUntilRestart(before: Config, after: Config): string[] {
  const changed: string[] = (['listen', 'http', 'state'] as const)
    .filter(name => sectionText(before[name]) !== sectionText(after[name]))
    .map(name => `[${name}]`)
  return before.listen.workers === after.listen.workers ? changed : [...changed, 'listen.workers']
}

function sectionText(section: object): string {
  return JSON.stringify({ ...section, workers: 0, tls: null })
}

/** What the log says about a configuration that is served all the same. */
export function notesOf({ config, notes }: LoadedConfig): readonly string[] {
  return [...notes, ...new Users(config).warnings(config.auth.method)]
}
