/**
 * Observations in, the next topology out. Pure: one object in, the same object out when nothing changed.
 *
 * - The primary is the reachable node out of recovery with the highest timeline. Of two with one timeline the one known
 *   before stays, and an alarm is raised: taking either at random would be a guess about who has the rows.
 * - A node below the highest timeline that a primary of the shard ever had is never routed to, whatever it says of itself.
 * - A primary that is gone keeps its role, unreachable, until another one shows: clients wait instead of failing.
 * - The first primary of a shard is chosen only when every node has been looked at once.
 * - A change of roles makes a new epoch; a change of primary also a new term. Reachability and postmaster starts change
 *   the topology object, not the epoch: plans stay valid.
 */
import type { NodeObservation } from './observation.ts'
import type { DatabaseTopology, Node, Role, Shard, Topology } from './topology.ts'
import { NO_FACTS, nodeKey, type ShardFacts, shardKey, type View } from './view.ts'

export type TopologyEvent =
  | {
      readonly kind: 'new-primary'
      readonly database: string
      readonly shard: string
      readonly from: string
      readonly to: string
      readonly term: number
      readonly timeline: number
    }
  | { readonly kind: 'primary-lost'; readonly database: string; readonly shard: string; readonly address: string }
  | {
      readonly kind: 'two-primaries'
      readonly database: string
      readonly shard: string
      readonly addresses: readonly string[]
      readonly timeline: number
    }
  | {
      readonly kind: 'foreign-node'
      readonly database: string
      readonly shard: string
      readonly address: string
      readonly systemIdentifier: string
    }
  | {
      readonly kind: 'stale-node'
      readonly database: string
      readonly shard: string
      readonly address: string
      readonly timeline: number
    }
  | {
      readonly kind: 'reachability'
      readonly database: string
      readonly shard: string
      readonly address: string
      readonly reachable: boolean
    }

export interface Reduction {
  readonly view: View
  readonly events: readonly TopologyEvent[]
}

interface Choice {
  readonly primary: NodeObservation | null
  /** Several nodes claim the highest timeline. */
  readonly rivals: readonly string[]
}

/** `known`: address of the last primary, '' when there was none or its address is no longer among the nodes. */
function choosePrimary(seen: readonly NodeObservation[], facts: ShardFacts, known: string, complete: boolean): Choice {
  const claims = seen.filter(node => node.reachable && !node.inRecovery && node.timeline >= facts.timeline)
  const timeline = Math.max(0, ...claims.map(node => node.timeline))
  const highest = claims.filter(node => node.timeline === timeline)
  const incumbent = highest.find(node => node.address === known)
  const rivals = highest.length > 1 ? highest.map(node => node.address) : []
  if (incumbent !== undefined) return { primary: incumbent, rivals }
  const only = highest[0]
  if (only === undefined || highest.length > 1) return { primary: null, rivals }
  if (known === '') return { primary: complete ? only : null, rivals }
  // A promotion always begins a new timeline. A second node out of recovery on the known primary's own timeline is a
  // copy that was started without being promoted: it may lack acknowledged rows.
  if (timeline === facts.timeline) return { primary: null, rivals: [known, only.address] }
  return { primary: only, rivals }
}

function roleOf(node: Node, seen: NodeObservation | undefined, primary: string, facts: ShardFacts): Role {
  if (node.address === primary) return 'primary'
  if (seen === undefined) return node.role
  if (!seen.reachable) return node.role === 'primary' ? 'unknown' : node.role
  if (facts.systemIdentifier !== '' && seen.systemIdentifier !== facts.systemIdentifier) return 'unknown'
  if (!seen.inRecovery) return 'unknown'
  return seen.timeline < facts.timeline ? 'unknown' : 'replica'
}

function sameNode(a: Node, b: Node): boolean {
  return a.role === b.role && a.reachable === b.reachable && a.start === b.start
}

function reduceShard(
  database: string,
  shard: Shard,
  facts: ShardFacts,
  observed: ReadonlyMap<string, NodeObservation>,
): { shard: Shard; facts: ShardFacts; events: TopologyEvent[] } {
  const events: TopologyEvent[] = []
  const seen = shard.nodes.flatMap(node => observed.get(nodeKey(database, shard.name, node.address)) ?? [])
  const own = seen.filter(
    node => facts.systemIdentifier === '' || !node.reachable || node.systemIdentifier === facts.systemIdentifier,
  )
  const known = shard.nodes.some(node => node.address === facts.primary) ? facts.primary : ''
  const { primary, rivals } = choosePrimary(own, facts, known, seen.length === shard.nodes.length)
  if (rivals.length > 0) {
    events.push({ kind: 'two-primaries', database, shard: shard.name, addresses: rivals, timeline: facts.timeline })
  }

  let term = shard.term
  let next = facts
  const before = shard.nodes.find(node => node.role === 'primary')
  if (primary !== null) {
    if (primary.address !== facts.primary || term === 0) {
      term++
      events.push({
        kind: 'new-primary',
        database,
        shard: shard.name,
        from: facts.primary,
        to: primary.address,
        term,
        timeline: primary.timeline,
      })
    }
    if (primary.address !== facts.primary || primary.timeline !== facts.timeline || facts.systemIdentifier === '') {
      next = { primary: primary.address, timeline: primary.timeline, systemIdentifier: primary.systemIdentifier }
    }
  }

  // Out of reach is not out of office; but back in recovery, or on a foreign cluster, it is.
  const absent =
    before !== undefined && observed.get(nodeKey(database, shard.name, before.address))?.reachable === false
  const holder = primary?.address ?? (absent ? before.address : '')
  if (before !== undefined && holder === '')
    events.push({ kind: 'primary-lost', database, shard: shard.name, address: before.address })

  let changed = term !== shard.term
  const nodes = shard.nodes.map(node => {
    const look = observed.get(nodeKey(database, shard.name, node.address))
    const role = roleOf(node, look, holder, next)
    const reachable = look?.reachable ?? node.reachable
    const start = look === undefined || !look.reachable ? node.start : look.start
    const fresh: Node = { ...node, role, reachable, start }
    if (sameNode(node, fresh)) return node
    changed = true
    if (node.reachable !== reachable)
      events.push({ kind: 'reachability', database, shard: shard.name, address: node.address, reachable })
    if (node.role !== 'unknown' && role === 'unknown' && look?.reachable === true) {
      const foreign = next.systemIdentifier !== '' && look.systemIdentifier !== next.systemIdentifier
      events.push(
        foreign
          ? {
              kind: 'foreign-node',
              database,
              shard: shard.name,
              address: node.address,
              systemIdentifier: look.systemIdentifier,
            }
          : { kind: 'stale-node', database, shard: shard.name, address: node.address, timeline: look.timeline },
      )
    }
    return fresh
  })
  return { shard: changed ? { ...shard, term, nodes } : shard, facts: next, events }
}

function rolesDiffer(a: Shard, b: Shard): boolean {
  return a.term !== b.term || a.nodes.some((node, i) => node.role !== b.nodes[i]?.role)
}

function sameObservation(a: NodeObservation | undefined, b: NodeObservation): boolean {
  return (
    a !== undefined &&
    a.reachable === b.reachable &&
    a.inRecovery === b.inRecovery &&
    a.timeline === b.timeline &&
    a.start === b.start &&
    a.systemIdentifier === b.systemIdentifier
  )
}

/** One observation. An observation of a node that the topology does not know (any more) changes nothing. */
export function reduce(view: View, observation: NodeObservation): Reduction {
  const { database: databaseName, shard: shardName, address } = observation
  const database = view.topology.databases.find(one => one.name === databaseName)
  const shard = database?.shards.find(one => one.name === shardName)
  if (database === undefined || shard === undefined || !shard.nodes.some(node => node.address === address))
    return { view, events: [] }
  const key = nodeKey(databaseName, shardName, address)
  if (sameObservation(view.observed.get(key), observation)) return { view, events: [] }

  const observed = new Map(view.observed).set(key, observation)
  const before = view.facts.get(shardKey(databaseName, shardName)) ?? NO_FACTS
  const step = reduceShard(databaseName, shard, before, observed)
  const facts =
    step.facts === before ? view.facts : new Map(view.facts).set(shardKey(databaseName, shardName), step.facts)
  return {
    view: { topology: withShard(view.topology, database, shard, step.shard), facts, observed },
    events: step.events,
  }
}

function withShard(topology: Topology, database: DatabaseTopology, before: Shard, after: Shard): Topology {
  if (before === after) return topology
  const replaced: DatabaseTopology = { ...database, shards: database.shards.map(one => (one === before ? after : one)) }
  return {
    epoch: rolesDiffer(before, after) ? topology.epoch + 1 : topology.epoch,
    databases: topology.databases.map(one => (one === database ? replaced : one)),
  }
}
