/** What decides how a server reads a text, besides the text itself. */
import type { Settings } from '../../pool/server-state.ts'
import { OP_EXECUTE, type Step } from './unit.ts'

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

/** A text means the same under both. */
export function sameMeaning(one: Settings, other: Settings): boolean {
  if (one.signature === other.signature) return true
  for (const [name, value] of one.values) if (!isPlain(name) && other.values.get(name) !== value) return false
  for (const name of other.values.keys()) if (!isPlain(name) && !one.values.has(name)) return false
  return true
}

/** A server analyses no such text when it parses it: no setting changes what it means. */
export function isUtility({ plan }: Step): boolean {
  return plan !== null && (plan.tier === 'empty' || plan.command !== null)
}

/** Behind the step a text may mean something else. `block`: settings that statements of the block have named, which end with it. */
export function changesMeaning({ op, plan }: Step, block: ReadonlySet<string>): boolean {
  if (op !== OP_EXECUTE || plan === null) return false
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
