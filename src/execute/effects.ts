/** What a unit's statements do besides being answered: marks, pins, settings, DDL, commits. */
import type { MarkSet } from '../../pool/marks.ts'
import type { SessionCommand } from '../../router/plan.ts'
import type { Executor } from './executor.ts'
import type { Link } from './links.ts'
import type { RunningUnit } from './running-unit.ts'
import { changesMeaning } from './meaning.ts'
import { SETTING } from './pin-causes.ts'
import { isIdentity, isSettingName } from './settings.ts'
import {
  endsFailure,
  OP_BIND,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_FUNCTION,
  OP_PARSE,
  OP_PREPARE,
  OP_QUERY,
  type Step,
  type Unit,
} from './unit.ts'

/** Longer than a server needs to notice that nobody listens any more, in all but the strangest cases. */
const LOST_WRITE_MS = 60_000
/** The relation that stands for all. */
const EVERYTHING = 0

/** The steps that run something. */
function runs(step: Step): boolean {
  return step.op === OP_QUERY || step.op === OP_EXECUTE || step.op === OP_FUNCTION
}

/** Records what the unit will have done when it succeeds. Called before it is sent. */
export function noteEffects(executor: Executor, running: RunningUnit, link: Link): void {
  const { transaction, client } = executor
  const inBlock = transaction.state === 'open'
  for (const step of running.unit.steps) {
    const { plan } = step
    if (!runs(step)) continue
    if (endsFailure(step)) running.endedFailure = true
    if (changesMeaning(step, transaction.settings)) running.changesMeaning = true
    if (step.op === OP_FUNCTION) noteFunctionCall(executor, running, link)
    if (plan === null) continue
    running.queries++
    const write = plan.access === 'write'
    for (const command of plan.commands) noteCommand(executor, running, command, link)
    if (running.commits || plan.mixed || (write && (!inBlock || running.rollsBack))) running.mayCommit = true
    if (plan.changesCatalog) {
      if (inBlock) transaction.changesCatalog = true
      else running.changesCatalog = true
    }
    if (plan.pin !== null) {
      if (plan.unread !== undefined && link.pins?.has(plan.pin) !== true) running.unreadPin = plan.pin
      link.pin(plan.pin)
    }
    if (plan.touchesPins) {
      running.touchesPins = true
      if (inBlock) transaction.touchesPins = true
    }
    if (running.watermark === null && !transaction.replica) client.database.stats.readsOnPrimaries += write ? 0 : 1
    else client.database.stats.readsOnReplicas++
  }
}

/** What SET SESSION CHARACTERISTICS AS TRANSACTION may change. */
const CHARACTERISTICS = [
  'default_transaction_isolation',
  'default_transaction_read_only',
  'default_transaction_deferrable',
]

/** Settings that end with their transaction, or that cannot be read back. */
function isCarried(name: string): boolean {
  return name !== '' && name !== 'seed' && !name.startsWith('transaction_')
}

function noteCommand(executor: Executor, running: RunningUnit, command: SessionCommand, link: Link): void {
  const { transaction } = executor
  if (command.kind === 'set' || command.kind === 'set-transaction') {
    const names = command.name === 'session characteristics' ? CHARACTERISTICS : [command.name]
    const carried = names.filter(isCarried)
    if (command.kind === 'set' && !carried.every(isSettingName)) {
      // It goes when the SET fails.
      if (link.pins?.has(SETTING) !== true) running.unreadPin = SETTING
      link.pin(SETTING)
    }
    noteSettings(running, carried.filter(isSettingName), command.kind === 'set' && command.reset)
  } else if (command.kind === 'reset-all') {
    running.resetAll = true
    // Role and session authorization stay as they are.
    const known = [...link.server.state.settings.values.keys(), ...executor.client.context.settings.values.keys()]
    noteSettings(running, known.filter(isIdentity), false)
    noteSettings(
      running,
      known.filter(name => !isIdentity(name)),
      true,
    )
  } else if (command.kind === 'savepoint' || command.kind === 'release') {
    ;(running.tagged ??= []).push(command)
  } else if (command.kind === 'rollback-to') {
    ;(running.tagged ??= []).push(command)
    // What was set behind the savepoint is taken back.
    noteSettings(running, transaction.settings, false)
  } else if (command.kind === 'commit' || command.kind === 'rollback') {
    ;(running.tagged ??= []).push(command)
    if (command.kind === 'commit') running.commits = true
    else running.rollsBack = true
    if (command.chain) running.chains = true
    // Another block may be open at the unit's end.
    noteSettings(running, transaction.settings, false)
  } else if (command.kind === 'begin') {
    running.begins = true
    if (running.commits || running.rollsBack) running.chains = true
  }
}

/** Settings to be read back. `reset`: what the server takes for its default is what the session began with. */
function noteSettings(running: RunningUnit, names: Iterable<string>, reset: boolean): void {
  for (const name of [...names]) {
    running.settings = (running.settings ?? new Set()).add(name)
    if (reset) running.resets = (running.resets ?? new Set()).add(name)
    else running.resets?.delete(name)
  }
}

/** Marks what will be written, before it is sent (soundness 22). */
export function addMarks(executor: Executor, running: RunningUnit, link: Link): void {
  const { client } = executor
  for (const step of running.unit.steps) {
    const { plan } = step
    if (step.op === OP_FUNCTION && client.database.hasReplicas(link.shard))
      markSet(executor, running).add(EVERYTHING, -1)
    if (plan === null || plan.access !== 'write' || !client.database.hasReplicas(link.shard)) continue
    if (step.op !== OP_QUERY && step.op !== OP_BIND) continue
    for (const touch of plan.touches) {
      if (!touch.write) continue
      const set = markSet(executor, running)
      if (touch.keyed && step.slots.length > 0) for (const slot of step.slots) set.add(touch.relation, slot)
      else set.add(touch.relation, -1)
    }
  }
}

function markSet(executor: Executor, running: RunningUnit) {
  const { transaction, client } = executor
  const open = () => client.environment.marks.open(client.database.name)
  if (transaction.state === 'open') return (transaction.marks ??= open())
  return (running.marks ??= open())
}

/** A function that the protocol names by its OID: whatever it does. */
function noteFunctionCall(executor: Executor, running: RunningUnit, link: Link): void {
  if (executor.transaction.state !== 'open') running.mayCommit = true
  link.pin('function')
}

/**
 * Ends marks whose answer was lost or will not be waited for. A server that was still at it may commit later than now, so
 * their rows stay with the primary for longer than such a server can live.
 */
export function closeMarks(set: MarkSet | null, mayStillRun: boolean): void {
  if (set === null) return
  if (mayStillRun) setTimeout(() => set.close(), LOST_WRITE_MS).unref()
  else set.close()
}

const PRELIMINARY: ReadonlySet<string> = new Set(['set', 'set-transaction', 'savepoint', 'release', 'rollback-to'])

/**
 * The texts of a unit that runs nothing but preliminaries of a block, null when it runs anything else. Reads that any shard could
 * answer are none, but nothing of them must be run again.
 */
export function preliminaryTexts(unit: Unit): string[] | null {
  const texts: string[] = []
  for (const step of unit.steps) {
    // Parse and Describe run nothing, and are made good wherever the block moves to.
    // A portal with rows left would be lost with the block.
    if (step.op === OP_EXECUTE && step.buffer.readInt32BE(step.end - 4) !== 0) return null
    if (
      step.plan === null ||
      step.op === OP_PARSE ||
      step.op === OP_PREPARE ||
      step.op === OP_DESCRIBE_STATEMENT ||
      step.plan.movable
    )
      continue
    if (step.plan.command === null || !PRELIMINARY.has(step.plan.command.kind)) return null
    if (step.op === OP_QUERY) texts.push(step.buffer.toString('utf8', step.start + 5, step.end - 1))
    else if (step.op === OP_EXECUTE && step.statement !== null) {
      texts.push(step.statement.rest.toString('utf8', 0, step.statement.textLength))
    }
  }
  return texts
}

/** Of a unit in a failed block: its text, when it runs a ROLLBACK TO and nothing else. */
export function wayBack({ steps }: Unit, texts: readonly string[] | null): string | null {
  const [only, ...more] = texts ?? []
  if (only === undefined || more.length > 0) return null
  return steps.find(endsFailure)?.plan?.command?.kind === 'rollback-to' ? only : null
}
