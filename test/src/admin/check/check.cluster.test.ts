import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCheck } from '../../../../src/admin/check/check.ts'
import type { Finding } from '../../../../src/admin/check/finding.ts'
import { type Cluster, startCluster } from '../../../../src/cluster/cluster.ts'
import { freePort } from '../../../../src/cluster/ports.ts'
import { shardwayConfig, type ShardwayOptions } from '../../../../src/cluster/shardway.ts'
import { parseConfig } from '../../../../src/config/load.ts'

let cluster: Cluster
let bare: Cluster

beforeAll(async () => {
  cluster = await startCluster({ shards: 2, replicas: 1 })
  bare = await startCluster({
    shards: 2,
    replicas: 0,
    settings: { max_prepared_transactions: '0', wal_level: 'replica' },
  })
})

afterAll(async () => {
  await cluster.stop()
  await bare.stop()
})

type Options = Omit<ShardwayOptions, 'cluster'>

function check(options: Options, change: (text: string) => string = text => text, which = cluster) {
  const text = change(shardwayConfig({ cluster: which, ...options }, 6432, 9632))
  return runCheck(parseConfig(text, '/', {}))
}

function says(findings: readonly Finding[], severity: string, where: string, message: string): void {
  const found = findings.some(
    one => one.severity === severity && one.where.includes(where) && one.message.includes(message),
  )
  expect(found, `${severity} ${where} ${message}\nin\n${JSON.stringify(findings, null, 1)}`).toBe(true)
}

async function asApp(sql: string, shards = cluster.shards): Promise<void> {
  for (const shard of shards) await shard.primary.server.query(sql, [], { user: 'app' })
}

describe('servers', () => {
  it('that are as they should be give nothing', async () => {
    expect(await check({})).toEqual([])
  })

  it('that lack settings are named', async () => {
    const findings = await check({}, undefined, bare)
    says(findings, 'error', 'app/s0/', 'max_prepared_transactions = 0')
    says(findings, 'error', 'app/s1/', 'max_prepared_transactions = 0')
    says(findings, 'warning', 'app/s0/', 'wal_level = replica')
  })

  it('that do not answer, or are another shard’s, are named each', async () => {
    const port = await freePort()
    const [first, second] = cluster.shards
    const stranger = await check({}, text =>
      text
        .replace(`"${first!.replica.address}"`, '"swap:1"')
        .replace(`"${second!.replica.address}"`, `"${first!.replica.address}"`)
        .replace('"swap:1"', `"${second!.replica.address}", "127.0.0.1:${port}"`),
    )
    says(stranger, 'error', `app/s0/127.0.0.1:${port}`, 'unreachable')
    says(stranger, 'error', `app/s0/${second!.replica.address}`, 'is no replica of')
    says(stranger, 'error', `app/s1/${first!.replica.address}`, 'is no replica of')
    const none = await check({}, text => text.replace(`"${first!.primary.address}"`, `"127.0.0.1:${port}"`))
    says(none, 'error', 'app/s0', 'no primary')
  })

  it('two primaries of one shard are named', async () => {
    const [first, second] = cluster.shards
    const text = shardwayConfig({ cluster }, 6432, 9632)
      .replace(`"${first!.replica.address}"`, `"${second!.primary.address}"`)
      .replace(`"${second!.primary.address}", "${second!.replica.address}"`, `"${second!.replica.address}"`)
    says(await runCheck(parseConfig(text, '/', {})), 'error', 'app/s0', 'two primaries')
  })

  it('wrong passwords and missing databases are named, and not shown', async () => {
    const password = await check({ database: { server_password: 'wrong-word', control_password: 'other-word' } })
    says(password, 'error', 'app/s0/', 'server_user "app"')
    says(password, 'error', 'app/s1/', 'control_user "postgres"')
    expect(JSON.stringify(password)).not.toMatch(/wrong-word|other-word/)
    const dbname = await check({}, text => text.replaceAll('dbname = "app"', 'dbname = "gone"'))
    says(dbname, 'error', 'app/s0/', 'database "gone" does not exist')
  })

  it('a control user without rights is named', async () => {
    await cluster.everywhere("create role weak login password 'weak'")
    const findings = await check({ database: { control_user: 'weak', control_password: 'weak' } })
    says(findings, 'error', 'app/s0/', 'no member of pg_monitor')
    says(findings, 'error', 'app/s0/', 'may not create a schema')
    says(findings, 'warning', 'app/s0/', 'lacks REPLICATION')
  })

  it('a database that is not UTF8 is named', async () => {
    for (const shard of cluster.shards) {
      await shard.primary.server.query(
        "create database latin encoding 'LATIN1' locale 'C' template template0 owner app",
      )
    }
    await cluster.caughtUp()
    const findings = await check({}, text => text.replaceAll('dbname = "app"', 'dbname = "latin"'))
    says(findings, 'error', 'app/s0/', 'encoding of the database is LATIN1')
  })
})

describe('schemas', () => {
  it('that cannot be sharded are named', async () => {
    await asApp(`
      create schema bad;
      create collation bad.loose (provider = icu, locale = 'und', deterministic = false);
      create table bad.region (id int primary key);
      create table bad.local (id int primary key);
      create table bad.pk (id int primary key, tenant int not null);
      create table bad.uq (tenant int not null, id int, email text unique, primary key (tenant, id));
      create table bad.child (tenant int not null, id serial, parent int, region int references bad.region,
        other int references bad.local, primary key (tenant, id), foreign key (tenant, parent) references bad.uq (tenant, id),
        foreign key (parent, other) references bad.uq (tenant, id));
      create table bad.num (k numeric not null primary key);
      create table bad.loosely (k text collate bad.loose primary key);
      create table bad.nullable (k int unique);
      create table bad.nothing (v int);
      create table bad.trig (k uuid primary key);
      create function bad.assign() returns trigger language plpgsql as $$ begin new.k := gen_random_uuid(); return new; end $$;
      create trigger fill before insert on bad.trig for each row execute function bad.assign();
      create view bad.seen as select * from bad.pk;
    `)
    const tables = [
      { name: 'bad.region', reference: true },
      { name: 'bad.pk', key: 'tenant' },
      { name: 'bad.uq', key: 'tenant' },
      { name: 'bad.child', key: 'tenant' },
      { name: 'bad.num', key: 'k' },
      { name: 'bad.loosely', key: 'k' },
      { name: 'bad.nullable', key: 'k' },
      { name: 'bad.nothing', key: 'k' },
      { name: 'bad.trig', key: 'k' },
      { name: 'bad.seen', key: 'tenant' },
      { name: 'bad.later', key: 'id' },
    ]
    const findings = await check({ tables })
    says(findings, 'error', 'app/bad.pk', 'the primary key "pk_pkey" lacks the shard key "tenant"')
    says(findings, 'error', 'app/bad.uq', 'the unique index "uq_email_key" lacks the shard key')
    says(findings, 'error', 'app/bad.child', 'to bad.local would cross shards')
    says(findings, 'error', 'app/bad.child', '"child_parent_other_fkey" to bad.uq would cross shards')
    says(findings, 'warning', 'app/bad.child', 'column "id" draws from a sequence')
    says(findings, 'error', 'app/bad.num', 'has type numeric')
    says(findings, 'error', 'app/bad.loosely', 'nondeterministic')
    says(findings, 'warning', 'app/bad.nullable', 'may be null')
    says(findings, 'error', 'app/bad.nothing', 'has no column "k"')
    says(findings, 'error', 'app/bad.trig', 'the BEFORE trigger "fill" assigns the shard key')
    says(findings, 'error', 'app/bad.seen', 'is no table')
    says(findings, 'warning', 'app/bad.later', 'does not exist')
    expect(findings.filter(one => /child_(tenant_parent|region)_fkey/.test(one.message))).toEqual([])
    await asApp('drop schema bad cascade')
  })

  it('that are right give nothing, partitions and children too', async () => {
    await asApp(`
      create table region (id int primary key);
      create table customers (id bigint primary key, region int references region);
      create table orders (customer_id bigint not null references customers, id int, day date,
        primary key (customer_id, id, day)) partition by range (day);
      create table orders_1 partition of orders for values from ('2020-01-01') to ('2030-01-01');
      create index on orders (day);
    `)
    const tables = [
      { name: 'region', reference: true },
      { name: 'customers', key: 'id' },
      { name: 'orders', key: 'customer_id' },
    ]
    expect(await check({ tables })).toEqual([])

    const other = cluster.shards[1]!.primary.server
    await other.query(
      `alter table customers add extra text; alter table region add constraint positive check (id > 0);
       create function f() returns int language sql as 'select 2'; create type mood as enum ('b');
       drop table orders_1; revoke insert on customers from app`,
    )
    await asApp("create function f() returns int language sql as 'select 1'; create type mood as enum ('a')", [
      cluster.shards[0]!,
    ])
    const findings = await check({ tables })
    says(findings, 'error', 'app/s1/public.customers', 'columns are (id, region, extra), on default_shard (id, region)')
    says(findings, 'error', 'app/s1/public.region', 'the constraint "positive" is not on default_shard')
    says(findings, 'error', 'app/s1/public.orders_1', 'the table is missing')
    says(findings, 'error', 'app/s1', 'the function public.f() differs')
    says(findings, 'error', 'app/s1', 'the type public.mood differs')
    says(findings, 'warning', 'app/s1/public.customers', 'user "app" lacks INSERT')
  })
})
