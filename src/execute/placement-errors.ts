/** Why a unit cannot run where its transaction runs. */
import { errorOf } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'

export function secondShard(open: string, wanted: string): ShardwayError {
  return errorOf('second_shard', { open, wanted })
}

export function readOnlyReplica(): ShardwayError {
  return new ShardwayError(
    'replica_only_reads',
    '0A000',
    'the READ ONLY transaction runs on a replica, where this statement cannot run',
    {
      hint: "Begin the transaction after SET shardway.role = 'primary'.",
    },
  )
}

export function notCaughtUp(): ShardwayError {
  return new ShardwayError(
    'replica_behind',
    '40001',
    'the replica of this READ ONLY transaction has not caught up in time',
    {
      hint: "Try the transaction again, or begin it after SET shardway.role = 'primary'.",
    },
  )
}
