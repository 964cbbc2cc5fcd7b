import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../../src/cluster/cluster.ts'
import type { ClusterNode } from '../../../src/cluster/node.ts'
import { waitFor } from '../../../src/cluster/wait.ts'
import { Client } from 'pg'

let cluster: Cluster
let primary: ClusterNode
const clients: Client[] = []

beforeAll(async () => {
  cluster = await startCluster({ shards: 1, replicas: 1, links: true })
  primary = cluster.shard('s0').primary
  await primary.server.query('create table t (id int primary key)')
})

afterEach(async () => {
  await primary.heal()
  for (const client of clients.splice(0)) await client.end().catch(() => {})
})

afterAll(() => cluster.stop())

async function through(): Promise<Client> {
  const client = new Client({
    host: primary.server.host,
    port: primary.port,
    ...cluster.superuser,
    database: 'app',
    connectionTimeoutMillis: 5000,
  })
  client.on('error', () => {})
  await client.connect()
  clients.push(client)
  return client
}

test('passes everything through, also much of it', async () => {
  const client = await through()
  const { rows } = await client.query("select repeat('x', 20000000) as text")
  expect((rows[0] as { text: string }).text.length).toBe(20_000_000)
  const sent = 'y'.repeat(5_000_000)
  expect((await client.query('select length($1::text) as n', [sent])).rows).toEqual([{ n: 5_000_000 }])
})

test('delays each direction', async () => {
  const client = await through()
  primary.link.delay(150, 'to-client')
  const before = performance.now()
  await client.query('select 1')
  expect(performance.now() - before).toBeGreaterThanOrEqual(149)
})

test('drops open connections and serves new ones', async () => {
  const client = await through()
  primary.link.drop()
  await expect(client.query('select 1')).rejects.toThrow()
  const next = await through()
  expect((await next.query('select 2 as n')).rows).toEqual([{ n: 2 }])
})

test('refuses new connections and keeps open ones', async () => {
  const client = await through()
  await primary.link.refuse()
  await expect(through()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect((await client.query('select 3 as n')).rows).toEqual([{ n: 3 }])
  await primary.link.heal()
  expect((await (await through()).query('select 4 as n')).rows).toEqual([{ n: 4 }])
})

test('a stall holds everything back until it is healed', async () => {
  const client = await through()
  primary.link.stall()
  let answered = false
  const answer = client.query('insert into t values (1)').then(() => {
    answered = true
  })
  for (let i = 0; i < 10; i++) await primary.server.query('select 1')
  expect(answered).toBe(false)
  expect((await primary.server.query('select * from t where id = 1')).rows).toEqual([])
  await primary.link.heal()
  await answer
  expect((await primary.server.query('select * from t where id = 1')).rows).toEqual([{ id: 1 }])
})

test('drops before the matching statement arrives', async () => {
  const client = await through()
  const trigger = primary.link.when(/insert into t values \(10\)/, 'drop')
  await client.query('insert into t values (9)')
  await expect(client.query('insert into t values (10)')).rejects.toThrow()
  await trigger.fired
  expect(trigger.hits()).toBe(1)
  expect((await primary.server.query('select id from t where id in (9, 10)')).rows).toEqual([{ id: 9 }])
})

test('drops after the matching statement has arrived: it takes effect and its answer is lost', async () => {
  const client = await through()
  primary.link.when(/insert into t values \(20\)/, 'drop-after')
  await expect(client.query('insert into t values (20)')).rejects.toThrow()
  await waitFor('the row', async () => (await primary.server.query('select 1 from t where id = 20')).rowCount === 1)
})

test("a match on the server's bytes loses the answer", async () => {
  const client = await through()
  primary.link.when(/INSERT 0 1/, 'drop', { direction: 'to-client' })
  await expect(client.query('insert into t values (30)')).rejects.toThrow()
  expect((await primary.server.query('select id from t where id = 30')).rows).toEqual([{ id: 30 }])
})

test('a cut replication link holds the standby back, healing lets it catch up', async () => {
  const shard = cluster.shard('s0')
  await primary.replicationLink.cut()
  await primary.server.query('insert into t values (40)')
  await waitFor(
    'the sender to be gone',
    async () => (await primary.server.query('select from pg_stat_replication')).rowCount === 0,
  )
  expect((await shard.replica.server.query('select 1 from t where id = 40')).rowCount).toBe(0)
  await primary.replicationLink.heal()
  await shard.caughtUp()
  expect((await shard.replica.server.query('select 1 from t where id = 40')).rowCount).toBe(1)
})
