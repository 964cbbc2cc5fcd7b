/**
 * Wrong bytes from clients or from servers, beside honest clients: no crash, no hang, no leak, no cross-talk. What is
 * checked at the end, and now and then meanwhile, is listed in `Result.checks`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '../../src/cluster/wait.ts'
import { rowsOf } from '../support/messages.ts'
import { childrenOf, residentBytes } from '../support/processes.ts'
import { Random } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'
import { type AttackCounts, Attacker, newAttackCounts } from './attacker.ts'
import { type ClientCounts, MarkedClient, newCounts } from './marked-client.ts'
import { mutate } from './mutate.ts'
import type { FuzzOptions } from './options.ts'

const HONEST = 6
const ATTACKERS = 6
/** Of the chunks that a server sends. */
const MUTATED_SHARE = 0.03
const PROBE_LIMIT_MS = 30_000
const PHASE_MS = 4000
/** Heaps breathe; what leaks grows without end. */
const MEMORY_BOUND_BYTES = 256 * 1024 * 1024

export interface Check {
  readonly name: string
  readonly problems: readonly string[]
}

export interface Result {
  readonly checks: readonly Check[]
  readonly counts: Readonly<Record<string, number>>
}

export async function fuzz(options: FuzzOptions, stopped: () => boolean = () => false): Promise<Result> {
  const system = await startSystem({
    workers: options.workers,
    shards: 1,
    replicas: 0,
    links: true,
    oracle: false,
    sections: { scatter: { max_routed_statement: '64KiB' }, log: { level: 'warn' } },
  })
  try {
    return await attack(system, options, stopped)
  } finally {
    await system.stop()
  }
}

async function attack(system: System, options: FuzzOptions, stopped: () => boolean): Promise<Result> {
  const random = new Random(options.seed)
  const honest = newCounts()
  const attacks = newAttackCounts()
  const hangs: string[] = []
  const pids = childrenOf(system.shardway.pid)
  const memoryBefore = residentBytes(system.shardway.pid)
  let over = false
  const done = (): boolean => over || stopped()
  const fork = (): Random => new Random(1 + random.below(0x7ffffffe))
  const strict = options.target === 'client'
  const work = Array.from({ length: HONEST }, (_, i) =>
    new MarkedClient(i + 1, system.target(), fork(), honest, strict).run(done),
  )
  if (strict) {
    for (let i = 0; i < ATTACKERS; i++) work.push(new Attacker(system.target(), fork(), attacks).run(done))
  }
  const mutated = { chunks: 0 }
  const until = performance.now() + options.seconds * 1000
  const bytes = fork()
  while (performance.now() < until && !stopped()) {
    if (!strict) mutateServers(system, bytes, mutated)
    await delay(Math.max(0, Math.min(PHASE_MS, until - performance.now())))
    await link(system).heal()
    await probe(system, hangs)
  }
  over = true
  await Promise.all(work)
  const left = system.shardway.running ? await leftovers(system) : []
  const grown = system.shardway.running ? residentBytes(system.shardway.pid) - memoryBefore : 0
  const internal = system.shardway.logs.filter(({ message }) => /internal error/.test(String(message)))
  return {
    checks: [
      { name: 'no crash', problems: crashes(system, pids) },
      { name: 'no internal error', problems: internal.map(record => JSON.stringify(record)) },
      { name: 'no hang', problems: [...hangs, ...attacks.hanging] },
      { name: 'no connection is left', problems: left },
      {
        name: 'memory returns',
        problems: grown < MEMORY_BOUND_BYTES ? [] : [`${Math.round(grown / 1024 / 1024)} MB more than before`],
      },
      { name: 'no cross-talk', problems: honest.foreign },
      { name: 'honest clients of honest servers are answered right', problems: honest.wrong },
      { name: 'the run did its work', problems: idleness(honest, attacks, mutated.chunks, strict) },
    ],
    counts: {
      answers: honest.answers,
      connections: honest.connections,
      broken: honest.broken,
      attackSessions: attacks.sessions,
      attackBytes: attacks.bytesSent,
      refusedLogins: attacks.refused,
      mutatedChunks: mutated.chunks,
      grownBytes: grown,
    },
  }
}

const link = (system: System) => (system.cluster.shards[0] as (typeof system.cluster.shards)[number]).primary.link

function mutateServers(system: System, random: Random, mutated: { chunks: number }): void {
  link(system).mutateWith((direction, bytes) => {
    if (direction !== 'to-client' || !random.chance(MUTATED_SHARE)) return bytes
    mutated.chunks++
    return mutate(random, bytes, 2)
  })
}

/** With honest bytes on all ways a new client is served. */
async function probe(system: System, hangs: string[]): Promise<void> {
  try {
    await waitFor(
      'a new client to be served',
      async () => {
        const wire = await Wire.connect(system.target())
        try {
          await wire.run('SELECT 1')
        } finally {
          wire.destroy()
        }
        return true
      },
      { timeoutMs: PROBE_LIMIT_MS, everyMs: 100 },
    )
  } catch (error) {
    hangs.push(String(error), ...(error instanceof Error && error.cause instanceof Error ? [error.cause.message] : []))
  }
}

function crashes(system: System, pids: readonly number[]): readonly string[] {
  if (!system.shardway.running) return ['Shardway has ended', ...system.shardway.lines.slice(-20)]
  const now = childrenOf(system.shardway.pid)
  if (JSON.stringify(now) === JSON.stringify(pids)) return []
  return [`workers were ${pids.join()}, are ${now.join()}`, ...system.shardway.lines.slice(-40)]
}

/** Every client has gone: so must what it held. */
async function leftovers(system: System): Promise<readonly string[]> {
  let last = ''
  try {
    await waitFor('clients and servers to be idle', async () => {
      const console = await Wire.connect(system.target({ database: 'shardway' }))
      try {
        const clients = rowsOf(await console.run('SHOW CLIENTS')).filter(row => row[2] === 'app')
        const servers = rowsOf(await console.run('SHOW SERVERS')).filter(row => row[4] !== 'idle')
        last = JSON.stringify([...clients, ...servers])
        return clients.length === 0 && servers.length === 0
      } finally {
        console.destroy()
      }
    })
    return []
  } catch (error) {
    return [String(error), last]
  }
}

/** A run in which nothing was attacked proves nothing. */
function idleness(honest: ClientCounts, attacks: AttackCounts, chunks: number, strict: boolean): readonly string[] {
  const problems: string[] = []
  if (honest.answers < 100) problems.push(`only ${honest.answers} answers`)
  if (strict && attacks.sessions < 50) problems.push(`only ${attacks.sessions} sessions of attackers`)
  if (!strict && chunks < 10) problems.push(`only ${chunks} mutated chunks`)
  return problems
}
