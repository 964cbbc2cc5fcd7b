/** A block that has failed answers everything alike, up to what ends it. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { hasStatement } from './emit.ts'
import type { RunningUnit } from './running-unit.ts'
import { IN_FAILED_TRANSACTION } from '../protocol/codes.ts'
import { endsFailure, isWayOut, OP_PARSE, OP_PREPARE, type Step, type Unit } from './unit.ts'

const SYNTAX = '42601'
/** What names no statement or portal. */
const UNKNOWN: ReadonlySet<string> = new Set(['26000', '34000'])

/** The server's status is that of the last ReadyForQuery: an earlier part of the unit may have ended the failure since. */
export function hasFailed(server: ServerConnection, running: RunningUnit): boolean {
  return server.status === IN_FAILED_TRANSACTION && !running.endedFailure
}

/** What a block that has failed answers instead of an error of ours. */
export function inFailedBlock(error: ShardwayError, { simple }: Unit): ShardwayError {
  // A second shard stands behind what ends the failure.
  if (error.sqlstate === SYNTAX || error.code === 'second_shard') return error
  // A server looks for what a message names before it looks whether the block has failed; for what a text names, behind that.
  return !simple && UNKNOWN.has(error.sqlstate) ? error : aborted()
}

export function aborted(): ShardwayError {
  return new ShardwayError(
    'failed_transaction',
    '25P02',
    'current transaction is aborted, commands ignored until end of transaction block',
  )
}

/** What runs when a block that has failed is led out of that, and the way out itself. */
export function behindFailure({ steps }: Unit): readonly Step[] {
  const at = steps.findIndex(endsFailure)
  return at < 0 ? [] : steps.slice(at)
}

/** The first step that would be answered as done without asking the server, which would refuse it; -1 for none. */
export function firstUnasked(server: ServerConnection, steps: readonly Step[]): number {
  for (const [at, step] of steps.entries()) {
    if (endsFailure(step)) return -1
    if (step.op !== OP_PARSE && step.op !== OP_PREPARE) continue
    const { statement, plan } = step
    if (statement === null || statement.name === '' || isWayOut(step) || plan?.tier === 'empty') continue
    if (hasStatement(server, statement)) return at
  }
  return -1
}
