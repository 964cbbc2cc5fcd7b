/** What each run leaves in the cache: its outputs, and beside them how it went. Runs are made, and made again, one by one. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { projectRoot } from '../../src/cluster/project-root.ts'
import type { RunName } from './options.ts'

const kept = z.object({
  start: z.string(),
  seconds: z.number(),
  postgres: z.string(),
  workers: z.number(),
  /** Files that took longer than the limit: their psql was killed. */
  late: z.array(z.string()),
  /** What Shardway logged as an error, or about the inside of it. */
  errors: z.array(z.string()),
  /** Of a run that was put together from several. */
  note: z.string().optional(),
})

export type KeptRun = z.infer<typeof kept>

export const outputsOf = (run: RunName): string => join(projectRoot(), '.cache/regress', run)

export async function keepRun(run: RunName, facts: KeptRun): Promise<void> {
  await writeFile(join(outputsOf(run), 'run.json'), `${JSON.stringify(facts, null, 2)}\n`)
}

/** Null where there is none. */
export async function keptRun(run: RunName): Promise<KeptRun | null> {
  const path = join(outputsOf(run), 'run.json')
  return existsSync(path) ? kept.parse(JSON.parse(await readFile(path, 'utf8'))) : null
}
