/** The reducer's state: the topology, and what it was concluded from. Immutable. */
import type { NodeObservation } from './observation.ts'
import type { Topology } from './topology.ts'

/** What is remembered of a shard beyond its topology; `primary` and `timeline` survive restarts in the store. */
export interface ShardFacts {
  /** Address of the primary of the present term, also while no node is primary; '' before the first. */
  readonly primary: string
  /** Highest timeline that a primary of this shard had; 0 before the first. A node below it is never routed to. */
  readonly timeline: number
  /** Of the first primary seen by this process; '' before. Another one is another cluster. */
  readonly systemIdentifier: string
}

export interface View {
  readonly topology: Topology
  /** By `shardKey`. */
  readonly facts: ReadonlyMap<string, ShardFacts>
  /** Last observation of each node, by `nodeKey`. */
  readonly observed: ReadonlyMap<string, NodeObservation>
}

export const NO_FACTS: ShardFacts = { primary: '', timeline: 0, systemIdentifier: '' }

export function shardKey(database: string, shard: string): string {
  return `${database}|${shard}`
}

export function nodeKey(database: string, shard: string, address: string): string {
  return `${database}|${shard}|${address}`
}
