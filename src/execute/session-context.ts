/** What decides how a session's statements are read: its settings, search path, temporary names, and its own options. */
import type { Settings } from '../../pool/server-state.ts'
import type { PlanContext } from '../../router/router.ts'
import type { Consistency } from './client.ts'
import { SessionOptions } from './session-options.ts'

export interface SessionStart {
  readonly user: string
  readonly settings: Settings
  readonly searchPath: readonly string[]
  readonly consistency: Consistency
  /** standard_conforming_strings is off. */
  readonly escapes: boolean
  /** shardway.NAME of its startup packet. */
  readonly options: ReadonlyMap<string, string>
}

/** Settings and path at one time. */
export interface ContextSnapshot {
  readonly settings: Settings
  readonly searchPath: readonly string[]
}

export class SessionContext {
  /** What RESET goes back to. */
  readonly start: SessionStart
  readonly #options: SessionOptions
  #settings: Settings
  #searchPath: readonly string[]
  #temporaryNames: ReadonlySet<string> | null = null
  #escapes: boolean
  /** Null when it has to be put together anew. */
  #plan: PlanContext | null = null

  constructor(start: SessionStart) {
    this.start = start
    this.#settings = start.settings
    this.#searchPath = start.searchPath
    this.#escapes = start.escapes
    this.#options = new SessionOptions(start.consistency, start.options)
  }

  get settings(): Settings {
    return this.#settings
  }

  set settings(settings: Settings) {
    this.#settings = settings
    this.#plan = null
  }

  /** Schemas that the server looks through for unqualified names. */
  set searchPath(path: readonly string[]) {
    this.#searchPath = path
    this.#plan = null
  }

  /** Names of temporary relations on the server that the session keeps; null: none. */
  set temporaryNames(names: ReadonlySet<string> | null) {
    if (names === this.#temporaryNames) return
    this.#temporaryNames = names
    this.#plan = null
  }

  /** What a server reported of the session's standard_conforming_strings. */
  set escapes(escapes: boolean) {
    if (escapes === this.#escapes) return
    this.#escapes = escapes
    this.#plan = null
  }

  get consistency(): Consistency {
    return this.#options.get('consistency') as Consistency
  }

  /** `primary`, `replica` or ''. */
  get role(): string {
    return this.#options.get('role')
  }

  /** SET [LOCAL] shardway.NAME; null resets. */
  setOption(name: string, value: string | null, local: boolean): void {
    this.#options.set(name, value, local)
    this.#plan = null
  }

  /** SHOW shardway.NAME. */
  option(name: string): string {
    return this.#options.get(name)
  }

  blockBegan(): void {
    this.#options.blockBegan()
  }

  /** SET LOCAL shardway.* ends with the block, and without a commit SET shardway.* too. */
  blockEnded(committed: boolean): void {
    if (this.#options.blockEnded(committed)) this.#plan = null
  }

  savepoint(kind: 'savepoint' | 'release' | 'rollback-to', name: string): void {
    if (this.#options.savepoint(kind, name)) this.#plan = null
  }

  /** RESET ALL, for shardway.*. */
  resetOptions(): void {
    this.#options.reset()
    this.#plan = null
  }

  /** DISCARD ALL: back to what the session began with. */
  reset(): void {
    this.settings = this.start.settings
    this.searchPath = this.start.searchPath
    this.resetOptions()
  }

  snapshot(): ContextSnapshot {
    return { settings: this.#settings, searchPath: this.#searchPath }
  }

  restore({ settings, searchPath }: ContextSnapshot): void {
    this.settings = settings
    this.searchPath = searchPath
  }

  get plan(): PlanContext {
    if (this.#plan !== null) return this.#plan
    const plan: PlanContext = {
      searchPath: this.#searchPath,
      role: this.#settings.values.get('role') ?? this.start.user,
      temporary: this.#temporaryNames,
      escapes: this.#escapes,
      hints: this.#options.hints,
    }
    this.#plan = plan
    return plan
  }
}
