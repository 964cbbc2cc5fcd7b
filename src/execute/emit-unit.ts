/** The messages of a unit go to its server: as the client sent them, or under a name that the proxy prepared. */
import { HOLD_PREPARED } from './client-output.ts'
import { emitSteps } from './emit.ts'
import { autoStatementFor, emitPrepared } from './emit-prepared.ts'
import type { Executor } from './executor.ts'
import type { Link } from './links.ts'
import { cancelled } from './lost.ts'
import type { RunningUnit } from './running-unit.ts'
import { answersParse } from './stale-statement.ts'
import { OP_FLUSH, OP_SYNC, type Step } from './unit.ts'

export function emitUnit(executor: Executor, running: RunningUnit, link: Link): void {
  const { server } = link
  const { unit } = running
  const { output, database } = executor.client
  running.auto = autoStatementFor(executor, running, link)
  if (running.auto === null) {
    if (!running.scout && answersParse(server, unit)) output.hold(HOLD_PREPARED)
    const steps = running.scout ? unit.steps.filter(isAsked) : unit.steps
    if (steps.length > 0) emitSteps(server, executor.answers, steps)
    return
  }
  const query = unit.simple ? unit.steps[0] : undefined
  const literals = query === undefined ? null : database.router.literalsOf(query.buffer, query.start + 5, query.end - 1)
  output.hold(HOLD_PREPARED)
  emitPrepared(server, executor.answers, output, unit, running.auto, literals)
}

/** A statement that the proxy had prepared, or whose result type DDL changed, gave an error: the unit runs as it was sent. */
export function emitPlainly(executor: Executor, running: RunningUnit, link: Link): void {
  const { client } = executor
  const plan = running.unit.steps[0]?.plan ?? null
  if (running.auto !== null && plan !== null) client.database.auto.failed(plan)
  client.output.discard(HOLD_PREPARED)
  running.again = false
  if (running.cancelled) {
    running.server = null
    return executor.refuse(cancelled())
  }
  running.plain = true
  emitUnit(executor, running, link)
}

/** A scout has a Sync of its own. */
function isAsked(step: Step): boolean {
  return step.op !== OP_FLUSH && step.op !== OP_SYNC
}
