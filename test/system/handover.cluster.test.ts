/** Two processes on one state file: refused, or the younger one takes over (SO_REUSEPORT, which the LTS's Node has). */
import { createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { freePort } from '../../src/cluster/ports.ts'
import { makeTemporaryFolder } from '../../src/cluster/run-as.ts'
import { shardwayConfig, type ShardwayOptions, ShardwayProcess } from '../../src/cluster/shardway.ts'
import { supervisor } from '../../src/cluster/supervisor.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, rowsOf, valueOf } from '../support/messages.ts'
import { ltsNode } from '../support/lts-node.ts'
import { sendCancel, Wire } from '../support/wire.ts'

const SCHEMA = `CREATE TABLE items (id bigint PRIMARY KEY, n int NOT NULL DEFAULT 0);
  CREATE TABLE still (id bigint PRIMARY KEY)`
const TABLES = [
  { name: 'items', key: 'id' },
  { name: 'still', key: 'id' },
]
const KEYS = Array.from({ length: 8 }, (_, i) => i + 1)

describe('two processes on one state file', () => {
  let cluster: Cluster
  let folder: string
  let node: string
  let [port, httpPort] = [0, 0]
  const started: ShardwayProcess[] = []
  const wires: Wire[] = []

  beforeAll(async () => {
    node = ltsNode()
    // The shards belong to the state in it.
    folder = makeTemporaryFolder('shardway-handover-', null)
    supervisor().discardAtEnd(folder)
    cluster = await startCluster({ shards: 2, replicas: 1 })
    await cluster.everywhere(SCHEMA, { user: 'app', password: 'app' })
  }, 180_000)
  afterAll(async () => {
    await cluster.stop()
  })
  beforeEach(async () => {
    ;[port, httpPort] = [await freePort(), await freePort()]
  })
  afterEach(async () => {
    for (const wire of wires.splice(0)) wire.destroy()
    for (const one of started.splice(0)) await one.kill()
    await cluster.everywhere('TRUNCATE items, still', { user: 'app', password: 'app' })
  })

  function process(options: Partial<ShardwayOptions> = {}, at = port, http = httpPort): ShardwayProcess {
    const all: ShardwayOptions = {
      cluster,
      tables: TABLES,
      workers: 2,
      sections: { read: { consistency: 'fresh', max_replica_lag: '60s' }, failover: { probe: '200ms' } },
      ...options,
    }
    const one = new ShardwayProcess({ ...all, folder }, folder, at, http)
    one.writeConfig(shardwayConfig(all, at, http))
    started.push(one)
    return one
  }

  const onLts = (http = httpPort): ShardwayProcess => process({ node, reusePort: true }, port, http)

  async function connect(): Promise<Wire> {
    const wire = await Wire.connect({ host: '127.0.0.1', port, user: 'app', password: 'app', database: 'app' })
    wires.push(wire)
    return wire
  }

  const said = async (one: ShardwayProcess, event: string): Promise<unknown> =>
    await waitFor(`${event} in the log`, () => one.logs.find(record => record['event.action'] === event), {
      timeoutMs: 60_000,
    })

  /** The other one may answer for it that all is ready. */
  async function fails(one: ShardwayProcess, reason: string): Promise<void> {
    await one.start().catch(() => undefined)
    expect(await one.ended).toBe(1)
    expect(one.lines.join('\n')).toContain(reason)
  }

  async function replicaReads(): Promise<number> {
    const wire = await Wire.connect({ host: '127.0.0.1', port, user: 'app', password: 'app', database: 'shardway' })
    const messages = await wire.run('SHOW STATS')
    wire.destroy()
    const names = columnsOf(messages.find(({ type }) => type === 'T')!).map(({ name }) => name)
    const row = rowsOf(messages).find(([database]) => database === 'app') ?? []
    return Number(row[names.indexOf('total_replica_reads')])
  }

  /** A read of what nobody writes. */
  async function isOnReplica(wire: Wire, hint = ''): Promise<boolean> {
    const before = await replicaReads()
    await wire.run(`${hint} SELECT id FROM still WHERE id = 1`)
    return (await replicaReads()) > before
  }

  it('the second is refused while the first lives, and after it has been killed is not', async () => {
    const first = process()
    await first.start()
    const second = process({}, await freePort(), await freePort())
    await fails(second, `another Shardway, process ${first.pid}, uses`)
    await first.kill()
    await second.start()
    expect(await second.stop()).toBe(0)
  })

  it('with reuse_port the second takes over: nothing is lost, and no read is stale', { timeout: 180_000 }, async () => {
    const first = onLts()
    await first.start()
    const [idle, busy, sleeper] = [await connect(), await connect(), await connect()]
    for (const id of KEYS) await idle.run(`INSERT INTO items VALUES (${id})`)
    await cluster.caughtUp()
    await waitFor('a read on a replica', async () => await isOnReplica(idle))
    await busy.run('BEGIN')
    await busy.run('UPDATE items SET n = n + 100 WHERE id = 1')
    sleeper.send(frames.query('SELECT pg_sleep(60) FROM items WHERE id = 2'))

    const application = { over: false, acknowledged: 0 }
    const refused: string[] = []
    const running = (async () => {
      while (!application.over) {
        try {
          const wire = await connect()
          await wire.run('UPDATE items SET n = n + 1 WHERE id = 3')
          application.acknowledged++
          await wire.end()
        } catch (error) {
          refused.push(String(error))
        }
        // Not all of the machine: two proxies have to start and end beside it.
        await sleep(5)
      }
    })()
    const second = onLts()
    await second.start()
    await said(second, 'took-over')
    await said(first, 'left')
    application.over = true
    await running
    expect(application.acknowledged).toBeGreaterThan(10)
    // Whoever waited in the old listener's queue when it closed is reset by the kernel, whoever was logging in is sent away.
    for (const reason of refused) expect(reason).toMatch(/ECONNRESET|closed|57P01/)
    expect(Number(await valueOf(idle, 'SELECT n FROM items WHERE id = 3'))).toBe(application.acknowledged)

    // A transaction and a cancel that began with the first.
    await busy.run('UPDATE items SET n = n + 1 WHERE id = 1')
    await busy.run('COMMIT')
    await sendCancel({ host: '127.0.0.1', port }, sleeper.pid, sleeper.secret)
    expect(errorOf(await sleeper.until('Z'))).toMatchObject({ C: '57014' })

    // What one writes the other reads, though the replicas are far behind.
    const later = await connect()
    await waitFor('replicas to be known', async () => await isOnReplica(later, '/* shardway: consistency=eventual */'))
    expect(await isOnReplica(later)).toBe(false)
    const replicas = cluster.shards.map(shard => shard.replica.server)
    for (const replica of replicas) await replica.query('SELECT pg_wal_replay_pause()')
    for (let round = 1; round <= 5; round++) {
      for (const [writer, reader] of [
        [idle, later],
        [later, idle],
      ] as const) {
        for (const id of KEYS) {
          await writer.run(`UPDATE items SET n = n + ${round} WHERE id = ${id}`)
          const read = await valueOf(reader, `SELECT n FROM items WHERE id = ${id}`)
          expect(read).toBe(await valueOf(writer, `/* shardway: role=primary */ SELECT n FROM items WHERE id = ${id}`))
        }
      }
    }
    for (const replica of replicas) await replica.query('SELECT pg_wal_replay_resume()')

    // A third must wait for the first one's end.
    await fails(onLts(), 'still has clients')
    for (const wire of [idle, busy, sleeper]) await wire.end()
    expect(await first.ended).toBe(0)
    await said(second, 'predecessor-ended')
    await cluster.caughtUp()
    await waitFor('a read on a replica', async () => await isOnReplica(later))
    const third = onLts()
    await third.start()
    await said(third, 'took-over')
    await later.end()
    expect(await second.ended).toBe(0)
    expect(await third.stop()).toBe(0)
  })

  it('a successor that cannot listen changes nothing', { timeout: 180_000 }, async () => {
    const first = onLts()
    await first.start()
    const wire = await connect()
    await wire.run('INSERT INTO items VALUES (1)')
    const taken = createServer().listen(await freePort(), '127.0.0.1')
    await once(taken, 'listening')
    const { port: takenPort } = taken.address() as { port: number }
    const second = onLts(takenPort)
    await fails(second, `cannot listen on 127.0.0.1:${takenPort}`)
    taken.close()
    await said(first, 'resumed')
    await wire.run('UPDATE items SET n = 5 WHERE id = 1')
    const other = await connect()
    expect(await valueOf(other, 'SELECT n FROM items WHERE id = 1')).toBe('5')
    await other.end()
    await cluster.caughtUp()
    await waitFor('a read on a replica', async () => await isOnReplica(wire))
    const third = onLts()
    await third.start()
    await said(third, 'took-over')
    await wire.end()
    expect(await first.ended).toBe(0)
  })

  it('without reuse_port the first does not yield', async () => {
    const first = process({ node })
    await first.start()
    const second = onLts()
    await fails(second, 'runs without listen.reuse_port')
    expect(await valueOf(await connect(), 'SELECT 1')).toBe('1')
  })
})
