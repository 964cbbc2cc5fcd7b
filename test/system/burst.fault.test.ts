import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BurstClient, type BurstCounts } from '../support/burst-client.ts'
import { childrenOf } from '../support/processes.ts'
import { Random, seeded } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'

const CLIENTS = 200
const SERVERS = 5
const SECONDS = Number(process.env['SHARDWAY_TEST_BURST_SECONDS'] ?? 30)

let system: System

beforeAll(async () => {
  system = await startSystem({
    workers: 2,
    shards: 1,
    replicas: 0,
    oracle: false,
    sections: { pool: { default_pool_size: SERVERS, query_wait_timeout: '3s' } },
  })
})
afterAll(async () => {
  await system.stop()
})

it('200 clients on 5 servers, killed and timed out: every answer is its client’s own', {
  timeout: 240_000,
}, async () => {
  const random = seeded('burst')
  const fork = (): Random => new Random(1 + random.below(0x7ffffffe))
  const counts: BurstCounts = { answers: 0, connections: 0, ended: 0, errors: new Map(), wrong: [] }
  const pids = childrenOf(system.shardway.pid)
  const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
  let over = false
  const work = Array.from({ length: CLIENTS }, (_, i) =>
    new BurstClient(i, system.target(), fork(), counts).run(() => over),
  )
  const until = performance.now() + SECONDS * 1000
  let killed = 0
  while (performance.now() < until) {
    // Time between two kills is part of what is tried, not a wait for something to happen.
    await delay(100 + random.below(500))
    const { rowCount } = await primary.server.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND state IS NOT NULL
       ORDER BY random() LIMIT 1`,
    )
    killed += rowCount ?? 0
  }
  over = true
  await Promise.all(work)
  console.log(`burst: ${JSON.stringify({ ...counts, errors: Object.fromEntries(counts.errors), killed })}`)
  expect(counts.wrong.slice(0, 20)).toEqual([])
  expect(counts.answers).toBeGreaterThan(500)
  expect(killed).toBeGreaterThan(10)
  expect(childrenOf(system.shardway.pid)).toEqual(pids)
  await system.isServing()
})
