import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadFingerprint } from '../../../src/catalog/fingerprint.ts'
import { type Oracle, openOracle } from '../../support/oracle.ts'

let oracle: Oracle
let client: Client

beforeAll(async () => {
  oracle = await openOracle()
  client = await oracle.connect()
  await client.query(`
    create role reader;
    create table t (id int primary key, note text);
    create table parent (id int);
    create type mood as enum ('good');
    create domain small as int;
    create function f() returns int language sql as 'select 1';
    create function tr() returns trigger language plpgsql as 'begin return new; end';
    create trigger g before insert on t for each row execute function tr();
    create view v as select 1 as x;
    create policy p on t using (true)`)
})
afterAll(() => oracle.close())

test.each([
  'alter table t add column extra int',
  'alter table t drop column extra',
  'alter table t rename column note to remark',
  'alter table t alter column remark set default random()',
  'alter table t alter column remark set not null',
  'alter table t rename to t2',
  'alter table t2 rename to t',
  'alter table t set schema information_schema; alter table information_schema.t set schema public; create table n1 (id int)',
  'drop table n1',
  'create schema s2',
  'create view v2 as select 1 as x',
  'create or replace view v as select 2 as x',
  `create or replace function f() returns int language sql as 'select 2'`,
  'alter function f() stable',
  'alter function f() security definer',
  'alter table t disable trigger g',
  'alter table t enable row level security',
  'alter policy p on t using (false)',
  'drop policy p on t',
  'grant select on t to reader',
  'alter table t inherit parent, add column c2 int',
  'alter table t add constraint c check (id > 0)',
  'create table r (id int references t)',
  `alter type mood add value 'bad'`,
  'alter domain small add constraint c check (value > 0)',
  'create index on t (remark)',
  'alter table t set unlogged',
  'alter role reader bypassrls',
  'grant reader to postgres',
  `alter role reader set search_path = s2`,
  `create aggregate total(int) (sfunc = int4pl, stype = int)`,
  'create operator === (leftarg = int, rightarg = int, function = int4eq)',
])('%s is seen', async sql => {
  if (sql.includes('inherit parent')) await client.query('drop view if exists v2')
  if (sql.includes('set unlogged')) await client.query('drop table r')
  const before = await loadFingerprint(client)
  await client.query(sql)
  expect(await loadFingerprint(client)).not.toBe(before)
})

test('what changes nothing in the catalog is not', async () => {
  const before = await loadFingerprint(client)
  for (const sql of [
    `insert into t (id, remark) values (1, 'x')`,
    'update t set remark = id',
    'analyze t',
    'vacuum t',
    'vacuum full t',
    'truncate t',
    'create temporary table tmp (id serial primary key, x text default random()::text check (id > 0))',
    'drop table tmp',
    'begin; create table undone (id int); rollback',
    'set search_path = s2',
  ]) {
    await client.query(sql)
    expect([sql, await loadFingerprint(client)]).toEqual([sql, before])
  }
})
