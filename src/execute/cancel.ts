/** A client asked to cancel what it waits for. */
import type { Executor } from './executor.ts'
import { cancelled } from './lost.ts'

export function cancelUnit(executor: Executor): void {
  const { running, placement, links, client } = executor
  if (running === null || running.reading || placement.laying.busy) return
  if (placement.forget()) return executor.refuse(cancelled())
  const link = running.server === null ? placement.laying.preparing : links.of(running.server)
  if (link === null || link === undefined || running.commits) return
  running.cancelled = true
  const { server, pool } = link
  const wanted = (): boolean => {
    // While settings are read back all of the client's own is over.
    if (executor.running !== running || running.reading || server.outstanding === 0) return false
    return running.server === server || placement.laying.preparing === link
  }
  if (wanted()) client.environment.cancels.request(pool, server, wanted)
}
