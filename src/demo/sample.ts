/** The sample: a small shop, sharded by customer. Filled directly on the shards, each with the rows of its slots. */
import type { Client } from 'pg'
import type { Cluster } from '../cluster/cluster.ts'
import type { ClusterShard } from '../cluster/shard.ts'
import type { TableDeclaration } from '../cluster/shardway.ts'
import { SLOT_COUNT } from '../topology/topology.ts'

export const SAMPLE_TABLES: readonly TableDeclaration[] = [
  { name: 'customers', key: 'id' },
  { name: 'orders', key: 'customer_id' },
  { name: 'order_items', key: 'customer_id' },
  { name: 'countries', reference: true },
  { name: 'products', reference: true },
]

export const SAMPLE_CUSTOMERS = 500
export const SAMPLE_ORDERS = 4000

const SCHEMA = `
create table countries (
  code text primary key,
  name text not null
);
create table products (
  id    int primary key,
  name  text not null,
  price numeric(10, 2) not null
);
create table customers (
  id         bigint primary key,
  name       text not null,
  email      text not null,
  country    text not null references countries,
  created_at timestamptz not null
);
create table orders (
  customer_id bigint not null references customers,
  id          bigint not null,
  status      text not null check (status in ('open', 'paid', 'sent', 'returned')),
  placed_at   timestamptz not null,
  primary key (customer_id, id)
);
create table order_items (
  customer_id bigint not null,
  order_id    bigint not null,
  line        int not null,
  product_id  int not null references products,
  quantity    int not null,
  unit_price  numeric(10, 2) not null,
  primary key (customer_id, order_id, line),
  foreign key (customer_id, order_id) references orders
);
`

const COUNTRIES = `
insert into countries values
  ('AT', 'Austria'), ('BR', 'Brazil'), ('CA', 'Canada'), ('DE', 'Germany'), ('ES', 'Spain'), ('FR', 'France'),
  ('IN', 'India'), ('IT', 'Italy'), ('JP', 'Japan'), ('KE', 'Kenya'), ('NZ', 'New Zealand'), ('PL', 'Poland'),
  ('SE', 'Sweden'), ('US', 'United States')
`

const PRODUCTS = `
insert into products
select id, (array['Small', 'Large', 'Light', 'Sturdy', 'Blue'])[1 + (id - 1) / 8] || ' ' ||
           (array['kettle', 'lamp', 'chair', 'bag', 'notebook', 'bottle', 'clock', 'rug'])[1 + (id - 1) % 8],
       (5 + (id * 37) % 195) + 0.99
from generate_series(1, 40) as id
`

const CUSTOMERS = `
insert into customers
select id,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || id || '@example.com',
       (array['AT','BR','CA','DE','ES','FR','IN','IT','JP','KE','NZ','PL','SE','US'])[1 + id % 14],
       timestamptz '2024-01-01 08:00+00' + id * interval '17 hours'
from (
  select id,
         (array['Ada','Bela','Carla','Dev','Edith','Femi','Grace','Hugo','Ines','Jun','Kofi','Lena','Mira','Nils','Olga','Piet'])
           [1 + id % 16] as first,
         (array['Abel','Berg','Costa','Diaz','Evans','Fischer','Garcia','Hill','Ito','Jones','Khan','Lopez','Mori','Novak','Okoye'])
           [1 + id % 15] as last
  from generate_series(1, ${SAMPLE_CUSTOMERS}) as id
  where $SLOT between $FIRST and $LAST
) as people
`

// Which customer an order belongs to is a fixed scramble of its number: the same on every shard, uneven as in life.
const ORDERS = `
insert into orders
select customer_id, id, (array['open', 'paid', 'sent', 'sent', 'sent', 'returned'])[1 + (id * 7919) % 6],
       timestamptz '2025-01-01 00:00+00' + id * interval '131 minutes'
from (
  select id, 1 + ((id * 48271) % 2147483647 % ${SAMPLE_CUSTOMERS}) as customer_id
  from generate_series(1::bigint, ${SAMPLE_ORDERS}) as id
) as numbered
where $SLOT between $FIRST and $LAST
`

const ITEMS = `
insert into order_items
select o.customer_id, o.id, line, p.id, 1 + (o.id + line) % 4, p.price
from orders as o
cross join generate_series(1, 3) as line
join products as p on p.id = 1 + (o.id * 13 + line * 7) % 40
where line <= 1 + o.id % 3
`

/** Postgres's own hash-partition remainder of an integer key for modulus 16384. */
function slotOf(column: string): string {
  return `(((hashint8extended(${column}, 8816678312871386365) & 16383) + 10467) & 16383)`
}

/** Equal runs in the order of the configuration: what a new slot map holds. */
export function slotsOf(index: number, shards: number): { readonly first: number; readonly last: number } {
  return {
    first: Math.floor((index * SLOT_COUNT) / shards),
    last: Math.floor(((index + 1) * SLOT_COUNT) / shards) - 1,
  }
}

/** One transaction per shard: after an interruption a shard has all of the sample or nothing of it. */
export async function loadSample(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.shards.map((shard, index) => loadShard(shard, slotsOf(index, cluster.shards.length))))
  await cluster.caughtUp()
}

/** Data kept from a run with the sample. */
export async function hasSample(cluster: Cluster): Promise<boolean> {
  const loaded = await Promise.all(
    cluster.shards.map(async shard => {
      const client = await shard.primary.server.connect({ user: 'app' })
      try {
        return await isLoaded(client)
      } finally {
        await client.end()
      }
    }),
  )
  return loaded.every(Boolean)
}

async function isLoaded(client: Client): Promise<boolean> {
  // All of them: a user's own table may be called customers.
  const { rows } = await client.query(
    `select bool_and(to_regclass('public.' || name) is not null) as loaded from unnest($1::text[]) as name`,
    [SAMPLE_TABLES.map(table => table.name)],
  )
  return (rows[0] as { loaded: boolean }).loaded
}

async function loadShard(shard: ClusterShard, slots: { readonly first: number; readonly last: number }): Promise<void> {
  const placed = (sql: string, key: string): string =>
    sql.replace('$SLOT', slotOf(key)).replace('$FIRST', String(slots.first)).replace('$LAST', String(slots.last))
  const client = await shard.primary.server.connect({ user: 'app' })
  try {
    if (await isLoaded(client)) return
    await client.query('begin')
    for (const sql of [SCHEMA, COUNTRIES, PRODUCTS, placed(CUSTOMERS, 'id'), placed(ORDERS, 'customer_id'), ITEMS]) {
      await client.query(sql)
    }
    await client.query('commit')
    await client.query('analyze customers, orders, order_items, countries, products')
  } finally {
    await client.end()
  }
}
