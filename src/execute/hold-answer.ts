/** What makes something durable is answered only when every sibling knows of it (soundness 22, 38). */
import { HOLD_CATALOG, HOLD_MARKS } from './client-output.ts'
import type { Executor } from './executor.ts'
import type { RunningUnit } from './running-unit.ts'

export function holdAnswer({ client, transaction }: Executor, running: RunningUnit): void {
  const { output } = client
  const set = running.marks ?? transaction.marks
  if (set !== null && !set.acknowledged) {
    output.hold(HOLD_MARKS)
    const acknowledged = () => {
      // A later part of the unit may have marked more.
      if (set.acknowledged) output.release(HOLD_MARKS)
      else set.onAcknowledged(acknowledged)
    }
    set.onAcknowledged(acknowledged)
  }
  if (running.changesCatalog || transaction.changesCatalog) output.hold(HOLD_CATALOG)
}
