/** Why a unit cannot run where its transaction runs. */
import { ShardwayError } from '../errors/shardway-error.ts'

export function secondShard(first: string, second: string): ShardwayError {
  return new ShardwayError(
    'second_shard',
    '0A000',
    `the transaction runs on shard ${first} and cannot go on to shard ${second}`,
    {
      hint: 'In this release a transaction stays on one shard: use one shard key in it.',
    },
  )
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
