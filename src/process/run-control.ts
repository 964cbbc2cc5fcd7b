/** What `shardway serve` runs. */
import { loadConfigWithNotes } from '../config/load.ts'
import { createLog } from '../observe/log.ts'
import { VERSION } from '../observe/version.ts'
import { Control } from './control.ts'
import { sayProblem } from './say-problem.ts'

/** Resolves with the exit code of the process. */
export async function runControl(configPath: string): Promise<number> {
  try {
    const { config, notes } = loadConfigWithNotes(configPath)
    const log = createLog({ level: config.log.level, version: VERSION })
    for (const note of notes) log.warn({ event: 'config-note' }, note)
    return await new Control(configPath, config, log).run()
  } catch (error) {
    sayProblem(error)
    return 1
  }
}
