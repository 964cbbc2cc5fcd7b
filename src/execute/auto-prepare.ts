/**
 * Statements that the proxy prepares on servers by itself, for plans that allow it and are run often.
 * docs/internals/auto-prepare.md has the conditions and why they hold.
 */
import type { Settings } from '../../pool/server-state.ts'
import type { Plan } from '../../router/plan.ts'
import type { SharedStatements } from './shared-statements.ts'
import { serverNameOf, type Statement } from './statement.ts'

/** A plan is run this often as the client sent it, before it gets a name. */
const PLAIN_RUNS = 3
/** One plan may serve texts that differ in their literals, and sessions that differ in their settings. */
const MAX_NAMES_PER_PLAN = 8

export class AutoStatement implements Statement {
  readonly id: number
  readonly name = 'auto'
  readonly rest: Buffer
  readonly textLength: number
  readonly settings: Settings
  types: readonly number[]
  /** As the first server described it; each server's own is what its clients are told. */
  described: Buffer | null = null
  readonly key = ''
  readonly unsure = false
  readonly serverName: string

  constructor(id: number, rest: Buffer, textLength: number, settings: Settings, types: readonly number[]) {
    this.id = id
    this.rest = rest
    this.textLength = textLength
    this.settings = settings
    this.types = types
    this.serverName = serverNameOf(this)
  }
}

interface Runs {
  count: number
  statements: AutoStatement[]
}

export class AutoStatements {
  /** Plans live as long as their catalog version and epoch; the names end with them. */
  readonly #byPlan = new WeakMap<Plan, Runs>()
  readonly #shared: SharedStatements

  constructor(shared: SharedStatements) {
    this.#shared = shared
  }

  /** The name for a Parse body under these settings; null while the plan is not run often enough, or in too many forms. */
  find(
    plan: Plan,
    settings: Settings,
    rest: Buffer,
    textLength: number,
    types: readonly number[],
  ): AutoStatement | null {
    let runs = this.#byPlan.get(plan)
    if (runs === undefined) {
      runs = { count: 0, statements: [] }
      this.#byPlan.set(plan, runs)
    }
    if (runs.count < PLAIN_RUNS) {
      runs.count++
      return null
    }
    for (let i = 0; i < runs.statements.length; i++) {
      const one = runs.statements[i] as AutoStatement
      const same = one.settings === settings || one.settings.signature === settings.signature
      if (same && (one.rest === rest || one.rest.equals(rest))) return one
    }
    if (runs.statements.length === MAX_NAMES_PER_PLAN) return null
    const made = new AutoStatement(this.#shared.nextId(), rest, textLength, settings, types)
    runs.statements.push(made)
    return made
  }

  /** It gave an error: its names are given up, and the plan is run plainly for a while. */
  failed(plan: Plan): void {
    this.#byPlan.delete(plan)
  }
}
