/** Why the proxy is not ready, or null. Pure. */
import { primaryOf, type Topology } from '../topology/topology.ts'
import type { Verdict } from '../topology/mirror-decision.ts'

export interface ReadinessInput {
  readonly draining: boolean
  readonly topology: Topology
  readonly verdict: (database: string) => Verdict | undefined
  readonly hasCatalog: (database: string) => boolean
  readonly workers: number
  /** Workers that have acknowledged everything that makes the proxy complete. */
  readonly workersUpToDate: number
}

/** Without the workers' part: does the control process have all that it must publish? */
export function incomplete(input: Omit<ReadinessInput, 'workers' | 'workersUpToDate'>): string | null {
  if (input.draining) return 'shutting down'
  for (const database of input.topology.databases) {
    for (const shard of database.shards) {
      const owns = database.slotRuns.some(run => database.shardNames[run[1]] === shard.name)
      const needed = owns || shard.name === database.defaultShard
      if (needed && primaryOf(shard) === undefined)
        return `database ${database.name}: shard ${shard.name} has no primary`
    }
    const verdict = input.verdict(database.name)
    if (verdict === undefined) return `database ${database.name}: its shards' state is not read yet`
    if (!verdict.serve) return verdict.reason
    if (!input.hasCatalog(database.name)) return `database ${database.name}: its catalog is not read yet`
  }
  return null
}

export function notReady(input: ReadinessInput): string | null {
  const reason = incomplete(input)
  if (reason !== null) return reason
  const missing = input.workers - input.workersUpToDate
  return missing > 0 ? `${missing} of ${input.workers} workers not ready` : null
}
