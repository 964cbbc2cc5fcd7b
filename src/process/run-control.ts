/** What `shardway serve` runs. */
import { loadConfigWithNotes } from '../config/load.ts'
import { createLog } from '../observe/log.ts'
import { VERSION } from '../observe/version.ts'
import { Control } from './control.ts'
import { notesOf } from './reload.ts'
import { sayProblem } from './say-problem.ts'

/** Resolves with the exit code of the process. */
export async function runControl(configPath: string): Promise<number> {
  try {
    const loaded = loadConfigWithNotes(configPath)
    const log = createLog({ level: loaded.config.log.level, version: VERSION })
    for (const note of notesOf(loaded)) log.warn({ event: 'config-note' }, note)
    return await new Control(configPath, loaded, log).run()
  } catch (error) {
    sayProblem(error)
    return 1
  }
}
