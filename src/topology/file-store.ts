/** The state store of a single proxy: one JSON file, replaced as a whole. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ShardwayError } from '../errors/shardway-error.ts'
import { type StateStore, type StoredState, storedStateSchema } from './store.ts'

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function unreadable(path: string, detail: string, cause?: unknown): ShardwayError {
  return new ShardwayError('state_unreadable', '58030', `the state file ${path} cannot be read`, {
    detail,
    hint: 'Put the file back from a copy, or remove it and run "shardway state recover".',
    ...(cause === undefined ? {} : { cause }),
  })
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export class FileStore implements StateStore {
  readonly name: string
  readonly #path: string
  #last: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
    this.name = `file ${path}`
  }

  async read(): Promise<StoredState | null> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (isMissing(error)) return null
      throw unreadable(this.#path, error instanceof Error ? error.message : String(error), error)
    }
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw unreadable(this.#path, 'It is not JSON.', error)
    }
    const parsed = storedStateSchema.safeParse(json)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      throw unreadable(this.#path, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong shape'}`)
    }
    return parsed.data
  }

  write(state: StoredState): Promise<void> {
    const written = this.#last.then(() => this.#replace(state))
    // One failed write must not fail the ones after it; its own caller hears of it.
    this.#last = written.catch(() => undefined)
    return written
  }

  async close(): Promise<void> {
    await this.#last
  }

  /** Temporary file, fsync, rename, fsync of the folder: a crash leaves the old state or the new one. */
  async #replace(state: StoredState): Promise<void> {
    const temporary = `${this.#path}.${process.pid}.tmp`
    try {
      const file = await open(temporary, 'w', 0o600)
      try {
        await file.writeFile(`${JSON.stringify(state, null, 1)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, this.#path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    await syncFolder(this.#path)
  }
}
