/** Statements after which a text may mean something else than when it arrived. */
import type { Settings } from '../../pool/server-state.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Statement } from '../execute/statement.ts'
import { OP_EXECUTE, type Step } from '../execute/unit.ts'

/** Settings that change no text's meaning: neither its names nor what a literal stands for (soundness 32). */
const PLAIN: ReadonlySet<string> = new Set([
  '',
  'session characteristics',
  'application_name',
  'client_min_messages',
  'commit_delay',
  'commit_siblings',
  'cursor_tuple_fraction',
  'deadlock_timeout',
  'effective_cache_size',
  'jit',
  'lock_timeout',
  'maintenance_work_mem',
  'statement_timeout',
  'synchronous_commit',
  'temp_buffers',
  'work_mem',
])
const PLAIN_PREFIX = /^(?:transaction_|default_transaction_|enable_|log_|idle_|force_|geqo|max_parallel_|parallel_)|\./

function isPlain(name: string): boolean {
  return PLAIN.has(name) || PLAIN_PREFIX.test(name)
}

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

/** `block`: settings that statements of the block have named, which end with it. */
function changesMeaning({ plan }: Step, block: ReadonlySet<string>): boolean {
  if (plan === null) return false
  return plan.commands.some(command => {
    switch (command.kind) {
      case 'reset-all':
      case 'discard-all':
        return true
      case 'set':
      case 'set-transaction':
        return !isPlain(command.name)
      case 'commit':
      case 'rollback':
      case 'rollback-to':
        return ![...block].every(isPlain)
      default:
        return false
    }
  })
}

/**
 * What a unit has run that changes the meaning of what is parsed behind it: the proxy reads a Parse when it arrives, the server after
 * that has run. Such a statement is shared with nobody, and its settings are known at the unit's end only.
 */
export class Doubt {
  /** Names may stand for other tables. */
  #renamed = false
  #changed = false
  #statements: Statement[] = []

  /** Null while there is none. */
  static of(before: Doubt | null, step: Step, block: ReadonlySet<string>): Doubt | null {
    if (step.op !== OP_EXECUTE) return before
    const [renamed, changed] = [renames(step), changesMeaning(step, block)]
    if (!renamed && !changed) return before
    const doubt = before ?? new Doubt()
    doubt.#renamed ||= renamed
    doubt.#changed ||= changed
    // Those before it were read under settings that nobody can be asked for any more.
    if (changed) doubt.#lose()
    return doubt
  }

  /** Where names decide which shard runs a statement. Throws 0A000. */
  refuseNames(): void {
    if (!this.#renamed) return
    throw new ShardwayError('not_supported', '0A000', 'a Parse behind SET or DDL in the same batch', {
      hint: 'Send Sync after the statement that changes what names mean.',
    })
  }

  get ofMeaning(): boolean {
    return this.#changed
  }

  parsed(statement: Statement): void {
    if (this.#changed) this.#statements.push(statement)
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
