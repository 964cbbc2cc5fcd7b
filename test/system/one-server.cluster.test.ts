import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { type ShardwayProcess, startShardway } from '../../src/cluster/shardway.ts'
import { rowsOf } from '../support/messages.ts'
import { Wire } from '../support/wire.ts'

const APP = { user: 'app', password: 'app' }
const KEYS = Array.from({ length: 8 }, (_, i) => i + 1)

describe.each([1, 2])('two shards that are databases of one server, workers=%i', workers => {
  let cluster: Cluster
  let shardway: ShardwayProcess

  beforeAll(async () => {
    cluster = await startCluster({ shards: 1, replicas: 0 })
    const { server } = cluster.shards[0]!.primary
    await server.query('CREATE DATABASE other OWNER app')
    const nodes = [`${server.host}:${server.port}`]
    for (const database of ['app', 'other']) {
      const wire = await Wire.connect({ host: server.host, port: server.port, database, ...APP })
      await wire.run('CREATE TABLE items (id bigint PRIMARY KEY, home text DEFAULT current_database())')
      await wire.end()
    }
    shardway = await startShardway({
      cluster,
      workers,
      tables: [{ name: 'items', key: 'id' }],
      sections: { pool: { default_pool_size: 3 * workers } },
      database: {
        shards: [
          { name: 's0', nodes, dbname: 'app' },
          { name: 's1', nodes, dbname: 'other' },
        ],
      },
    })
  })
  afterAll(async () => {
    await shardway.close()
    await cluster.stop()
  })

  const connect = async (): Promise<Wire> =>
    await Wire.connect({ host: shardway.host, port: shardway.port, database: 'app', ...APP })

  it('each row is in its database, and each pool has its own servers', async () => {
    const loader = await connect()
    for (const id of KEYS) await loader.run(`INSERT INTO items VALUES (${id})`)
    await loader.end()
    const homes = new Set<string | null | undefined>()
    for (let round = 0; round < 3; round++) {
      const wires = await Promise.all(Array.from({ length: 6 }, connect))
      // All at once, three on each shard: its pool must grow while the other one does.
      for (const [i, wire] of wires.entries()) {
        await wire.run('BEGIN')
        await wire.run(`SET LOCAL shardway.shard = 's${i % 2}'`)
        const [row] = rowsOf(await wire.run('SELECT home, current_database() FROM items LIMIT 1'))
        expect(row?.[0]).toBe(row?.[1])
        homes.add(row?.[0])
      }
      for (const wire of wires) {
        await wire.run('COMMIT')
        await wire.end()
      }
    }
    expect(homes).toEqual(new Set(['app', 'other']))
    const { rows } = await cluster.shards[0]!.primary.server.query(
      "SELECT datname, count(*)::int FROM pg_stat_activity WHERE usename = 'app' GROUP BY 1",
    )
    for (const { count } of rows as { count: number }[]) expect(count).toBeLessThanOrEqual(3 * workers)
    expect(rows).toHaveLength(2)
  })
})
