/** Statements after which names in a text may mean something else. */
import { OP_EXECUTE, type Step } from '../execute/unit.ts'

const RENAMING: ReadonlySet<string> = new Set(['search_path', 'role', 'session_authorization'])

export function renames(step: Step): boolean {
  if (step.op !== OP_EXECUTE || step.plan === null) return false
  if (step.plan.changesCatalog) return true
  return step.plan.commands.some(
    command =>
      command.kind === 'reset-all' ||
      command.kind === 'discard-all' ||
      ((command.kind === 'set' || command.kind === 'set-transaction') && RENAMING.has(command.name)),
  )
}
