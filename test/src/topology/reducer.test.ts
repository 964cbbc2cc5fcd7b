import { describe, expect, it } from 'vitest'
import type { NodeObservation } from '../../../src/topology/observation.ts'
import { reduce } from '../../../src/topology/reducer.ts'
import { type Node, primaryOf, type Topology } from '../../../src/topology/topology.ts'
import { NO_FACTS, type View } from '../../../src/topology/view.ts'

const A = 'a:1'
const B = 'b:1'

function node(address: string): Node {
  return { address, host: 'h', port: 1, role: 'unknown', reachable: false, start: '', zone: '' }
}

function view(facts = NO_FACTS, addresses = [A, B]): View {
  const shard = { name: 's0', dbname: 'app', term: facts.primary === '' ? 0 : 1, nodes: addresses.map(node) }
  const database = { name: 'app', defaultShard: 's0', shards: [shard], slotRuns: [[0, 0]] as const, shardNames: ['s0'] }
  const topology: Topology = { epoch: 1, databases: [database] }
  return { topology, facts: new Map([['app|s0', facts]]), observed: new Map() }
}

function up(address: string, inRecovery: boolean, timeline = 1, systemIdentifier = '7'): NodeObservation {
  const start = `100.5/${timeline}`
  return { database: 'app', shard: 's0', address, reachable: true, inRecovery, timeline, start, systemIdentifier }
}

function down(address: string): NodeObservation {
  return { ...up(address, false), reachable: false, timeline: 0, start: '', systemIdentifier: '' }
}

function run(start: View, ...observations: NodeObservation[]) {
  let current = start
  const events: string[] = []
  for (const observation of observations) {
    const step = reduce(current, observation)
    current = step.view
    events.push(...step.events.map(event => event.kind))
  }
  const shard = current.topology.databases[0]!.shards[0]!
  const roles = Object.fromEntries(shard.nodes.map(one => [one.address, one.role]))
  return { view: current, events, shard, roles, primary: primaryOf(shard)?.address, epoch: current.topology.epoch }
}

describe('reduce', () => {
  it('finds the roles, with one epoch and one term for the first primary', () => {
    const { roles, shard, view: after } = run(view(), up(A, false), up(B, true))
    expect(roles).toEqual({ [A]: 'primary', [B]: 'replica' })
    expect(shard.term).toBe(1)
    expect(after.facts.get('app|s0')).toEqual({ primary: A, timeline: 1, systemIdentifier: '7' })
  })

  it('waits for a look at every node before the first choice', () => {
    expect(run(view(), up(A, false)).primary).toBeUndefined()
    expect(run(view(), up(A, false), down(B)).primary).toBe(A)
    expect(run(view(), up(A, false, 1), up(B, false, 2)).primary).toBe(B)
  })

  it('returns the same object when nothing changed', () => {
    const first = run(view(), up(A, false), up(B, true)).view
    expect(reduce(first, up(A, false)).view).toBe(first)
    expect(reduce(first, { ...up(A, false), database: 'other' }).view).toBe(first)
  })

  it('keeps the primary in its role while it is out of reach, in the same epoch', () => {
    const before = run(view(), up(A, false), up(B, true))
    const after = run(before.view, down(A))
    expect(after.primary).toBe(A)
    expect(after.shard.nodes[0]?.reachable).toBe(false)
    expect(after.epoch).toBe(before.epoch)
    expect(after.view.topology).not.toBe(before.view.topology)
    expect(after.shard.term).toBe(1)
  })

  it('follows a promotion: a higher timeline wins, with a new term and epoch', () => {
    const before = run(view(), up(A, false), up(B, true))
    const after = run(before.view, down(A), up(B, false, 2))
    expect(after.primary).toBe(B)
    expect(after.shard.term).toBe(2)
    expect(after.epoch).toBeGreaterThan(before.epoch)
    expect(after.roles[A]).toBe('unknown')
  })

  it('never routes to the old primary when it comes back on its old timeline', () => {
    const before = run(view(), up(A, false), up(B, true), down(A), up(B, false, 2))
    const back = run(before.view, up(A, false, 1))
    expect(back.primary).toBe(B)
    expect(back.roles[A]).toBe('unknown')
    expect(run(back.view, up(A, true, 1)).roles[A]).toBe('unknown')
    expect(run(back.view, up(A, true, 2)).roles[A]).toBe('replica')
    expect(run(back.view, down(B)).primary).toBe(B)
  })

  it('keeps the known primary against a second one of the same timeline, and says so', () => {
    const before = run(view(), up(A, false), up(B, true))
    const both = run(before.view, up(B, false, 1))
    expect(both.primary).toBe(A)
    expect(both.roles[B]).toBe('unknown')
    expect(both.events).toContain('two-primaries')
    const alone = run(both.view, down(A))
    expect(alone.primary).toBe(A)
    expect(alone.events).toContain('two-primaries')
  })

  it('takes neither of two unknown primaries of one timeline', () => {
    const { primary, events } = run(view(), up(A, false), up(B, false))
    expect(primary).toBeUndefined()
    expect(events).toContain('two-primaries')
  })

  it('remembers the timeline of the store', () => {
    const facts = { primary: B, timeline: 2, systemIdentifier: '' }
    expect(run(view(facts), up(A, false, 1), down(B)).primary).toBeUndefined()
    expect(run(view(facts), up(B, false, 2)).shard.term).toBe(1)
  })

  it('takes a primary whose address is not the stored one any more', () => {
    const facts = { primary: 'old-name:1', timeline: 1, systemIdentifier: '' }
    expect(run(view(facts), up(A, false, 1), up(B, true)).primary).toBe(A)
  })

  it('ignores a node of another cluster, whatever its timeline', () => {
    const before = run(view(), up(A, false), up(B, true))
    const after = run(before.view, up(B, false, 9, '8'))
    expect(after.primary).toBe(A)
    expect(after.roles[B]).toBe('unknown')
    expect(after.events).toContain('foreign-node')
  })

  it('has no primary once the known one went into recovery', () => {
    const before = run(view(), up(A, false), up(B, true))
    const after = run(before.view, up(A, true))
    expect(after.primary).toBeUndefined()
    expect(after.roles).toEqual({ [A]: 'replica', [B]: 'replica' })
    expect(after.events).toContain('primary-lost')
  })
})
