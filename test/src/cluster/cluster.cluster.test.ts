import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../../src/cluster/cluster.ts'
import { waitFor } from '../../../src/cluster/wait.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ shards: 2, replicas: 1 })
})

afterAll(async () => {
  const { folder } = cluster
  await cluster.stop()
  expect(existsSync(folder)).toBe(false)
})

async function value(node: { query: (sql: string) => Promise<{ rows: unknown[] }> }, sql: string): Promise<unknown> {
  const { rows } = await node.query(sql)
  return Object.values(rows[0] as object)[0]
}

test('every shard has a primary and a standby that streams from it', async () => {
  for (const shard of cluster.shards) {
    expect(await value(shard.primary.server, 'select pg_is_in_recovery()')).toBe(false)
    expect(await value(shard.replica.server, 'select pg_is_in_recovery()')).toBe(true)
    expect(await value(shard.replica.server, 'select status from pg_stat_wal_receiver')).toBe('streaming')
    expect(await value(shard.primary.server, 'select application_name from pg_stat_replication')).toBe(
      shard.replica.name,
    )
  }
})

test("shards have identities of their own, standbys have their primary's", async () => {
  const identity = 'select system_identifier::text from pg_control_system()'
  const [first, second] = cluster.shards
  expect(await value(first!.primary.server, identity)).toBe(await value(first!.replica.server, identity))
  expect(await value(first!.primary.server, identity)).not.toBe(await value(second!.primary.server, identity))
})

test('the settings that Shardway needs are on', async () => {
  const server = cluster.shards[0]!.primary.server
  expect(await value(server, 'show wal_level')).toBe('logical')
  expect(await value(server, 'show max_prepared_transactions')).toBe('100')
  expect(await value(server, 'show wal_log_hints')).toBe('on')
})

test('the app user owns its database and needs its password', async () => {
  const server = cluster.shards[0]!.primary.server
  await server.query('create table owned (id int primary key)', [], { user: 'app' })
  await server.query('drop table owned', [], { user: 'app' })
  await expect(server.query('select 1', [], { user: 'app', password: 'wrong' })).rejects.toMatchObject({
    code: '28P01',
  })
})

test('what the primary has written is read on the replica', async () => {
  const shard = cluster.shard('s0')
  await shard.primary.server.query('create table replicated as select generate_series(1, 1000) as id')
  await shard.caughtUp()
  expect(await value(shard.replica.server, 'select count(*)::int from replicated')).toBe(1000)
})

test('a killed primary comes back with its data, and its standby attaches again', async () => {
  const shard = cluster.shard('s1')
  await shard.primary.server.query('create table survives as select generate_series(1, 500) as id')
  await shard.primary.kill()
  await expect(shard.primary.server.query('select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await shard.primary.start()
  expect(await value(shard.primary.server, 'select count(*)::int from survives')).toBe(500)
  await shard.primary.server.query('insert into survives select generate_series(501, 600)')
  await shard.caughtUp()
  expect(await value(shard.replica.server, 'select count(*)::int from survives')).toBe(600)
})

test('a frozen server answers nothing and goes on when thawed', async () => {
  const { server } = cluster.shard('s0').primary
  const client = await server.connect()
  await server.freeze()
  let answered = false
  const answer = client.query('select 42 as answer').then(result => {
    answered = true
    return result
  })
  // A server that runs answers within a millisecond; the standby proves that time passes.
  for (let i = 0; i < 20; i++) await cluster.shard('s0').replica.server.query('select 1')
  expect(answered).toBe(false)
  await server.thaw()
  expect((await answer).rows).toEqual([{ answer: 42 }])
  await client.end()
})

test('a promoted standby is primary, and the old primary is rebuilt behind it', async () => {
  const shard = cluster.shard('s1')
  const old = shard.primary
  await shard.caughtUp()
  await old.kill()
  await shard.promote(shard.replica)
  await shard.primary.server.query('create table after_promotion as select 7 as n')
  await shard.rebuild(old)
  await shard.caughtUp()
  expect(await value(old.server, 'select n from after_promotion')).toBe(7)
  expect(await shard.findPrimary()).toBe(shard.primary)
  expect(shard.primary).not.toBe(old)
})

test('an online copy under writes is consistent', async () => {
  const shard = cluster.shard('s0')
  await shard.primary.server.query('create table written (id int primary key, filler text)')
  const stop = new AbortController()
  const writer = (async () => {
    const client = await shard.primary.server.connect()
    for (let i = 0; !stop.signal.aborted; i++)
      await client.query('insert into written values ($1, repeat($2, 200))', [i, 'x'])
    await client.end()
  })()
  await waitFor(
    'some rows',
    async () => (await value(shard.primary.server, 'select count(*) > 100 from written')) === true,
  )
  await shard.rebuild(shard.replica)
  stop.abort()
  await writer
  await shard.caughtUp()
  const check = 'select count(*)::int as rows, max(id) as last, count(*) = max(id) + 1 as dense from written'
  const [there, here] = await Promise.all([shard.primary.server.query(check), shard.replica.server.query(check)])
  expect(here.rows).toEqual(there.rows)
  expect(here.rows[0]).toMatchObject({ dense: true })
})

test('the oracle is a plain Postgres of the same version', async () => {
  const oracle = await cluster.oracle()
  const version = 'show server_version_num'
  expect(await value(oracle, version)).toBe(await value(cluster.shard('s0').primary.server, version))
  expect(await value(oracle, 'select count(*)::int from pg_stat_replication')).toBe(0)
})
