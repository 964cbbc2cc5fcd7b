/** Statements parsed behind what changes the meaning of their texts. */
import type { Settings } from '../../pool/server-state.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { changesMeaning } from '../execute/meaning.ts'
import type { Statement } from '../execute/statement.ts'
import { isWayOut, OP_EXECUTE, type Step } from '../execute/unit.ts'

/** Of one unit; past it those before are used where they are and prepared nowhere else. */
const MAX_STATEMENTS = 1000

/** Settings that decide which table a name stands for. */
const RENAMING: ReadonlySet<string> = new Set(['search_path', 'role', 'session_authorization'])

function renames({ plan }: Step): boolean {
  if (plan === null) return false
  if (plan.changesCatalog) return true
  return plan.commands.some(command => {
    if (command.kind === 'reset-all' || command.kind === 'discard-all') return true
    return (command.kind === 'set' || command.kind === 'set-transaction') && RENAMING.has(command.name)
  })
}

/** The search path is another one. A role changes it only where it says `$user`. */
function moves({ plan }: Step): boolean {
  return (plan?.commands ?? []).some(command => {
    if (command.kind === 'reset-all' || command.kind === 'discard-all') return true
    return (command.kind === 'set' || command.kind === 'set-transaction') && command.name === 'search_path'
  })
}

/**
 * What a unit has run that changes the meaning of what is parsed behind it: the proxy reads a Parse when it arrives, the server after
 * that has run. Such a statement is shared with nobody, and its settings are known at the unit's end only.
 */
export class Doubt {
  /** Names may stand for other tables. */
  #renamed = false
  /** Also those of statements that were there before: a server looks them up again. */
  #moved = false
  #changed = false
  #statements: Statement[] = []

  /** Null while there is none. */
  static of(before: Doubt | null, step: Step, block: ReadonlySet<string>): Doubt | null {
    if (step.op !== OP_EXECUTE) return before
    const renamed = renames(step)
    // What the unit itself has set is not among the block's settings yet.
    const changed = changesMeaning(step, block) || (before?.ofMeaning === true && isWayOut(step))
    if (!renamed && !changed) return before
    const doubt = before ?? new Doubt()
    doubt.#renamed ||= renamed
    doubt.#moved ||= moves(step)
    doubt.#changed ||= changed
    // Those before it were read under settings that nobody can be asked for any more.
    if (changed) doubt.#lose()
    return doubt
  }

  /** Where names decide which shard runs a statement, of a Parse or a Bind. Throws 0A000. */
  refuseNames(bound: boolean): void {
    if (bound ? !this.#moved : !this.#renamed) return
    throw new ShardwayError('not_supported', '0A000', 'a Parse or Bind behind SET or DDL in the same batch', {
      hint: 'Send Sync after the statement that changes what names mean.',
    })
  }

  get ofMeaning(): boolean {
    return this.#changed
  }

  parsed(statement: Statement): void {
    if (!this.#changed) return
    // Some were closed since, and are kept here only.
    if (this.#statements.length === MAX_STATEMENTS) this.#lose()
    this.#statements.push(statement)
  }

  /** The unit is over: these are the session's settings now. */
  settle(settings: Settings, failed: boolean): void {
    if (failed) return this.#lose()
    for (const statement of this.#statements) statement.settings = settings
  }

  #lose(): void {
    for (const statement of this.#statements) statement.unsure = true
    this.#statements = []
  }
}
