/** The users of one database on this worker: how many clients each has, and what counts for them. */
import { hasStatementLimits, type PoolSettings, poolSettings } from '../config/pool-settings.ts'
import type { Config } from '../config/schema.ts'

export class DatabaseUsers {
  readonly #database: string
  #config: Config
  #anyLimited: boolean
  readonly #clients = new Map<string, number>()
  readonly #settings = new Map<string, PoolSettings>()

  constructor(database: string, config: Config) {
    this.#database = database
    this.#config = config
    this.#anyLimited = hasStatementLimits(config)
  }

  configure(config: Config): void {
    this.#config = config
    this.#anyLimited = hasStatementLimits(config)
    this.#settings.clear()
  }

  /** The same object until the next reload. */
  settingsOf(user: string): PoolSettings {
    let settings = this.#settings.get(user)
    if (settings === undefined) {
      settings = poolSettings(this.#config, this.#database, user)
      this.#settings.set(user, settings)
    }
    return settings
  }

  /** Asked for every statement: mostly nobody is limited. */
  isLimited(user: string): boolean {
    return this.#anyLimited && this.settingsOf(user).limited
  }

  /** Users with clients. */
  connected(): Iterable<string> {
    return this.#clients.keys()
  }

  hasClients(user: string): boolean {
    return this.#clients.has(user)
  }

  came(user: string): void {
    this.#clients.set(user, (this.#clients.get(user) ?? 0) + 1)
  }

  went(user: string): void {
    const left = (this.#clients.get(user) ?? 1) - 1
    if (left > 0) this.#clients.set(user, left)
    else this.#clients.delete(user)
  }
}
