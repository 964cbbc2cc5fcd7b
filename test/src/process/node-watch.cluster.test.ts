import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Client } from 'pg'
import { type Cluster, startCluster } from '../../../src/cluster/cluster.ts'
import { parseConfig } from '../../../src/config/load.ts'
import type { Config } from '../../../src/config/schema.ts'
import { nowUs } from '../../../src/observe/clock.ts'
import { createLog } from '../../../src/observe/log.ts'
import { shardwayConfig } from '../../../src/cluster/shardway.ts'
import { MirrorKeeper } from '../../../src/process/mirror-keeper.ts'
import { NodeWatch } from '../../../src/process/node-watch.ts'
import { assemble } from '../../../src/topology/assemble.ts'
import { primaryOf } from '../../../src/topology/topology.ts'

const log = createLog({ level: 'silent' })
const PATIENCE = { timeout: 20_000, interval: 20 }

let cluster: Cluster
let config: Config
let watch: NodeWatch

beforeAll(async () => {
  cluster = await startCluster({ shards: 2, replicas: 1 })
  const text = shardwayConfig({ cluster, sections: { failover: { probe: '100ms' } } }, 6432, 9632)
  config = parseConfig(text, '/tmp')
  const { view } = assemble(config, null)
  watch = new NodeWatch(view, { log, changed: () => undefined, watermarks: () => undefined })
  watch.use(view, config)
}, 120_000)

afterAll(async () => {
  watch?.stop()
  await cluster?.stop()
})

const shard = (index: number) => watch.view.topology.databases[0]!.shards[index]!
const roles = (index: number) => shard(index).nodes.map(node => node.role)
const keeper = (id: string): MirrorKeeper =>
  new MirrorKeeper({ log, config: () => config, view: () => watch.view, stateId: () => id, changed: () => undefined })

async function run(url: string, sql: string): Promise<Array<Record<string, unknown>>> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

function superuserUrl(index: number): string {
  const { user, password } = cluster.superuser
  return `postgres://${user}:${encodeURIComponent(password)}@${cluster.shards[index]!.primary.address}/${cluster.database}`
}

describe('the watch over real servers', () => {
  it('finds the roles', async () => {
    await vi.waitFor(
      () =>
        expect([roles(0), roles(1)]).toEqual([
          ['primary', 'replica'],
          ['primary', 'replica'],
        ]),
      PATIENCE,
    )
    expect(shard(0).term).toBe(1)
    expect(shard(0).nodes.every(node => node.reachable && /^\d+\.\d+\/1$/.test(node.start))).toBe(true)
  })

  it('moves the watermarks past what was committed, also while the primary idles', async () => {
    await run(superuserUrl(0), 'create table if not exists watched (id int)')
    for (let round = 0; round < 3; round++) {
      await run(superuserUrl(0), `insert into watched values (${round})`)
      const endUs = nowUs()
      await vi.waitFor(() => {
        const marks = watch.watermarks
        expect(marks.map(mark => mark.shard).toSorted()).toEqual(['s0', 's1'])
        for (const mark of marks) {
          expect(mark.replayedUs).toBeGreaterThan(endUs)
          expect(mark.start).toBe(
            watch.view.topology.databases[0]!.shards.find(one => one.name === mark.shard)!.nodes[1]!.start,
          )
        }
      }, PATIENCE)
      const replica = cluster.shards[0]!.replica
      const { user, password } = cluster.superuser
      const url = `postgres://${user}:${encodeURIComponent(password)}@${replica.address}/${cluster.database}`
      expect(await run(url, `select 1 from watched where id = ${round}`)).toHaveLength(1)
    }
  })

  it('mirrors the map, refuses a second proxy while the first lives and afterwards, and lets it take over', async () => {
    const first = keeper('first-state-id-0001')
    first.beat()
    await vi.waitFor(() => expect(first.verdict(cluster.database)).toEqual({ serve: true }), PATIENCE)
    const rows = await run(superuserUrl(1), 'select state_id, epoch::int, slot_map from shardway.state')
    expect(rows).toEqual([
      {
        state_id: 'first-state-id-0001',
        epoch: watch.view.topology.epoch,
        slot_map: {
          shardNames: ['s0', 's1'],
          slotRuns: [
            [0, 0],
            [8192, 1],
          ],
        },
      },
    ])
    const second = keeper('second-state-id-0002')
    second.beat()
    await vi.waitFor(
      () => expect(second.verdict(cluster.database)).toMatchObject({ serve: false, code: 'owned_by_another' }),
      PATIENCE,
    )
    await expect(second.newest()).rejects.toMatchObject({ code: 'owned_by_another' })
    first.stop()
    await vi.waitFor(
      () => expect(second.verdict(cluster.database)).toMatchObject({ code: 'state_is_foreign' }),
      PATIENCE,
    )
    const again = keeper('first-state-id-0001')
    again.beat()
    await vi.waitFor(() => expect(again.verdict(cluster.database)).toEqual({ serve: true }), PATIENCE)
    again.stop()
    await vi.waitFor(
      async () => expect((await second.newest()).get(cluster.database)?.stateId).toBe('first-state-id-0001'),
      PATIENCE,
    )
    await second.takeOver()
    await vi.waitFor(() => expect(second.verdict(cluster.database)).toEqual({ serve: true }), PATIENCE)
    second.stop()
  })

  it('follows a promotion and never the old primary again', async () => {
    const old = cluster.shards[0]!.primary
    await old.server.kill()
    await vi.waitFor(() => expect(shard(0).nodes[0]).toMatchObject({ role: 'primary', reachable: false }), PATIENCE)
    const epoch = watch.view.topology.epoch
    await cluster.shards[0]!.promote(cluster.shards[0]!.replica)
    await vi.waitFor(() => expect(primaryOf(shard(0))?.address).toBe(shard(0).nodes[1]!.address), PATIENCE)
    expect(shard(0).term).toBe(2)
    expect(watch.view.topology.epoch).toBeGreaterThan(epoch)
    await old.server.start()
    await vi.waitFor(() => expect(shard(0).nodes[0]).toMatchObject({ role: 'unknown', reachable: true }), PATIENCE)
    expect(primaryOf(shard(0))?.address).toBe(shard(0).nodes[1]!.address)
  })
})
