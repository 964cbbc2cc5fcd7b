/** What `start` leaves in each data folder that it made: that it did, and what it knows about the sample. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MARK = 'shardway-start.json'

/** `wanted`: begun, and to be finished by the next start. `none` and `loaded`: the tables are the user's from now on. */
export type SampleState = 'none' | 'wanted' | 'loaded'

const SAMPLE_STATES: readonly string[] = ['none', 'wanted', 'loaded'] satisfies readonly SampleState[]

/** @throws Error for a folder that has something in it and that `start` has not made */
export function refuseForeignFolder(folder: string): void {
  const entries = entriesOf(folder)
  if (entries.length === 0 || entries.includes(MARK) || isEarlierFolder(folder)) return
  throw new Error(
    `${folder} is not empty, and shardway start has not made it: nothing in it was touched. Choose an empty or a new folder ` +
      `with --data, or empty this one yourself.`,
  )
}

/** Undefined for a folder of an earlier version, which noted nothing. */
export function sampleState(folder: string): SampleState | undefined {
  const value = readJson(join(folder, MARK))['sample']
  return isSampleState(value) ? value : undefined
}

export function markFolder(folder: string, sample: SampleState | undefined): void {
  writeFileSync(join(folder, MARK), `${JSON.stringify({ madeBy: 'shardway start', sample })}\n`)
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error
    throw new Error(`${folder} is not a folder. Choose another one with --data.`, { cause: error })
  }
}

/** Before the mark there was only the cluster's own plan, whose shape nobody else has by chance. */
function isEarlierFolder(folder: string): boolean {
  const { major, shards, replicationPassword } = readJson(join(folder, 'cluster.json'))
  return typeof major === 'number' && Array.isArray(shards) && typeof replicationPassword === 'string'
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  if (!existsSync(path)) return {}
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function isSampleState(value: unknown): value is SampleState {
  return typeof value === 'string' && SAMPLE_STATES.includes(value)
}
