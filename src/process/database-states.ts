/** What PAUSE, KILL, DISABLE and their opposites have set. It ends with the control process, as in PgBouncer. */
import { errorOf } from '../errors/codes.ts'

export class DatabaseStates {
  #allPaused = false
  readonly #paused = new Set<string>()
  readonly #disabled = new Set<string>()

  /** PAUSE without a name. */
  get allPaused(): boolean {
    return this.#allPaused
  }

  isPaused(database: string): boolean {
    return this.#allPaused || this.#paused.has(database)
  }

  isDisabled(database: string): boolean {
    return this.#disabled.has(database)
  }

  /** Null: all. @throws ShardwayError when all are paused already */
  pause(database: string | null): void {
    if (database !== null) this.#paused.add(database)
    else if (this.#allPaused) throw errorOf('wrong_state', { what: 'already suspended/paused' })
    else this.#allPaused = true
  }

  /** KILL pauses, whatever was before. */
  hold(database: string | null): void {
    if (database === null) this.#allPaused = true
    else this.#paused.add(database)
  }

  /** @throws ShardwayError when it is not paused */
  resume(database: string | null): void {
    if (database === null) {
      if (!this.#allPaused && this.#paused.size === 0) {
        throw errorOf('wrong_state', { what: 'pooler is not paused/suspended' })
      }
      this.#allPaused = false
      this.#paused.clear()
    } else if (this.#allPaused) {
      throw errorOf('wrong_state', { what: 'all databases are paused' }, { hint: 'RESUME without a name.' })
    } else if (!this.#paused.delete(database)) {
      throw errorOf('wrong_state', { what: `database ${database} is not paused` })
    }
  }

  setDisabled(database: string, disabled: boolean): void {
    if (disabled) this.#disabled.add(database)
    else this.#disabled.delete(database)
  }
}
