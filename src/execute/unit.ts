/**
 * A unit is what one ReadyForQuery answers: a simple query, or the extended messages up to a Sync. Units of a client run
 * one after the other. An extended unit may reach the executor in parts, when the client sends Flush.
 */
import type { Plan } from '../../router/plan.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { Statement } from './statement.ts'

export const OP_QUERY = 0
export const OP_PARSE = 1
export const OP_BIND = 2
export const OP_DESCRIBE_STATEMENT = 3
export const OP_DESCRIBE_PORTAL = 4
export const OP_EXECUTE = 5
export const OP_CLOSE_STATEMENT = 6
export const OP_CLOSE_PORTAL = 7
export const OP_FUNCTION = 8
export const OP_SYNC = 9
export const OP_FLUSH = 10
/** SQL-level PREPARE that the session itself carries: `statement` is prepared, and its tag answered. */
export const OP_PREPARE = 11

/** One message of the client's, understood. */
export interface Step {
  readonly op: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  /** What is run, where the message says so. */
  readonly plan: Plan | null
  /** Shard index or ANY_SHARD; slots of its keys, for marks. */
  readonly shard: number
  readonly slots: readonly number[]
  readonly statement: Statement | null
  /**
   * Bind and Describe: where the statement's name stands. EXECUTE: where its name ends in the text as it is sent and as the client
   * wrote it, characters.
   */
  readonly nameStart: number
  readonly nameEnd: number
  /** Bytes of the message behind `end` that are passed on when they come; such a step is its unit's last. */
  readonly moreBytes: number
}

export interface Unit {
  readonly steps: readonly Step[]
  /** Ends with Sync, or is a simple query: ReadyForQuery follows. */
  readonly complete: boolean
  readonly simple: boolean
  /** Raised by the proxy after the last step; the client gets it behind the answers to the steps. */
  readonly error: ShardwayError | null
}

/** For data of the entries in a server's queue: an EXECUTE, which is sent with another name. */
export function isRenamed(data: unknown): data is Step {
  return typeof data === 'object' && data !== null && 'moreBytes' in data
}

/** COMMIT, ROLLBACK or ROLLBACK TO, alone or among several statements: a block that has failed lets it through. */
export function isWayOut({ plan }: Step): boolean {
  return plan?.commands.some(({ kind }) => kind === 'commit' || kind === 'rollback' || kind === 'rollback-to') ?? false
}

/** The step runs one: behind it the block has not failed, or there is none. */
export function endsFailure(step: Step): boolean {
  return (step.op === OP_QUERY || step.op === OP_EXECUTE) && isWayOut(step)
}
