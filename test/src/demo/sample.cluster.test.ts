import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../../src/cluster/cluster.ts'
import { hasSample, loadSample, SAMPLE_CUSTOMERS, SAMPLE_ORDERS, slotsOf } from '../../../src/demo/sample.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ shards: 3, replicas: 0 })
})

afterAll(() => cluster.stop())

test('every slot has one shard', () => {
  for (const shards of [1, 2, 3, 7, 64]) {
    const runs = Array.from({ length: shards }, (_, index) => slotsOf(index, shards))
    expect(runs[0]?.first).toBe(0)
    expect(runs.at(-1)?.last).toBe(16383)
    for (const [index, run] of runs.entries()) expect(run.first).toBe((runs[index - 1]?.last ?? -1) + 1)
  }
})

test('the sample lies where Postgres itself says its slots are, whole and once', async () => {
  expect(await hasSample(cluster)).toBe(false)
  await loadSample(cluster)
  await loadSample(cluster)
  expect(await hasSample(cluster)).toBe(true)
  const totals = { customers: 0, orders: 0, items: 0 }
  for (const [index, shard] of cluster.shards.entries()) {
    const { server } = shard.primary
    const { first, last } = slotsOf(index, 3)
    await server.query('create table ruler (id bigint) partition by hash (id)')
    for (const [table, key] of [
      ['customers', 'id'],
      ['orders', 'customer_id'],
      ['order_items', 'customer_id'],
    ]) {
      const { rows } = await server.query(
        `select count(*)::int as strays from (select distinct ${key} as customer from ${table}) as keys
         where not exists (
           select from generate_series(${first}, ${last}) as slot
           where satisfies_hash_partition('ruler'::regclass, 16384, slot, customer))`,
      )
      expect(rows).toEqual([{ strays: 0 }])
    }
    const counted = await server.query(
      `select (select count(*)::int from customers) as customers, (select count(*)::int from orders) as orders,
              (select count(*)::int from order_items) as items, (select count(*)::int from countries) as countries,
              (select count(*)::int from products) as products`,
    )
    const row = counted.rows[0] as {
      customers: number
      orders: number
      items: number
      countries: number
      products: number
    }
    totals.customers += row.customers
    totals.orders += row.orders
    totals.items += row.items
    expect(row).toMatchObject({ countries: 14, products: 40 })
  }
  expect(totals).toMatchObject({ customers: SAMPLE_CUSTOMERS, orders: SAMPLE_ORDERS })
  expect(totals.items).toBeGreaterThan(SAMPLE_ORDERS)
})
