import type { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CatalogIndex } from '../../../src/catalog/catalog-index.ts'
import type { Relation } from '../../../src/catalog/catalog.ts'
import { type LoadOptions, type LoadedCatalog, loadCatalog } from '../../../src/catalog/load.ts'
import { type Oracle, openOracle } from '../../support/oracle.ts'

let oracle: Oracle
let client: Client

beforeAll(async () => {
  oracle = await openOracle()
  client = await oracle.connect()
})
afterAll(() => oracle.close())

beforeEach(async () => {
  await client.query('drop schema if exists public cascade; drop schema if exists other cascade; create schema public')
})

function load(options: Partial<LoadOptions> = {}): Promise<LoadedCatalog> {
  return loadCatalog(client, { database: 'app', version: 3, tables: [], ...options })
}

async function indexed(sql: string, options: Partial<LoadOptions> = {}): Promise<CatalogIndex> {
  await client.query(sql)
  return new CatalogIndex((await load(options)).catalog)
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not there')
  return value
}

function called(index: CatalogIndex, relation: Relation): string[] {
  return relation.functions.map(id => must(index.routineById(id)).name).toSorted()
}

test('the server, the schemas, and nothing of the system', async () => {
  const { catalog, problems, missing } = await load({ tables: [{ name: 'later', key: 'id' }] })
  expect(catalog).toMatchObject({ database: 'app', version: 3, encoding: 'UTF8', searchPath: ['public'], oids: {} })
  expect(catalog.serverVersion).toBeGreaterThanOrEqual(150000)
  expect(catalog.schemas).toEqual(expect.arrayContaining(['public', 'pg_catalog', 'information_schema']))
  expect(catalog.relations).toEqual([])
  expect(catalog.routines).toEqual([])
  expect(catalog.volatileBuiltins).toEqual(expect.arrayContaining(['random', 'nextval', 'clock_timestamp']))
  expect(catalog.volatileBuiltins).not.toContain('now')
  expect(JSON.parse(JSON.stringify(catalog))).toEqual(catalog)
  expect([problems, missing, catalog.declared]).toEqual([[], ['public.later'], ['public.later']])
})

test('columns: types, defaults, sequences', async () => {
  const index = await indexed(`
    create sequence s;
    create function rnd() returns int language sql volatile as 'select 1';
    create function fixed() returns int language sql immutable as 'select 1';
    create domain numbered as int8 default nextval('s');
    create table t (
      a serial, b bigint generated always as identity, c int default nextval('s'), d int default nextval('s'::text),
      e int default 5, f timestamptz default now(), g float8 default random(), h int default rnd(), i int default fixed(),
      j numbered, k text not null, l int generated always as (1) stored, m int default (1 + (random() * 5)::int), gone int);
    alter table t drop column gone;
  `)
  const columns = must(index.relation('public', 't')).columns
  const facts = Object.fromEntries(
    columns.map(c => [c.name, `${c.generated ? 'g' : ''}${c.volatileDefault ? 'v' : ''}`]),
  )
  expect(facts).toEqual({
    a: 'gv',
    b: 'g',
    c: 'gv',
    d: 'gv',
    e: '',
    f: '',
    g: 'v',
    h: 'v',
    i: '',
    j: 'gv',
    k: '',
    l: '',
    m: 'v',
  })
  expect(columns.filter(c => c.notNull).map(c => c.name)).toEqual(['a', 'b', 'k'])
  expect(must(columns.find(c => c.name === 'k')).type).toBe(25)
  expect(called(index, must(index.relation('public', 't')))).toEqual(['fixed', 'rnd'])
})

test('whatever runs behind a table is found', async () => {
  const index = await indexed(`
    create function f_trigger() returns trigger language plpgsql as 'begin return new; end';
    create function f_off() returns trigger language plpgsql as 'begin return new; end';
    create function f_check(int) returns bool language sql immutable as 'select true';
    create function f_policy() returns bool language sql stable as 'select true';
    create function f_rule() returns int language sql as 'select 1';
    create function f_index(int) returns int language sql immutable as 'select 1';
    create function f_when() returns bool language sql as 'select true';
    create function f_eq(int, text) returns bool language sql immutable as 'select true';
    create operator === (leftarg = int, rightarg = text, function = f_eq);
    create table t (id int primary key check (f_check(id)), note text check (1 === note));
    create index on t (f_index(id));
    create trigger t1 before insert on t for each row when (f_when()) execute function f_trigger();
    create trigger t2 before insert on t for each row execute function f_off();
    alter table t disable trigger t2;
    alter table t enable row level security;
    create policy p on t using (f_policy());
    create rule r as on delete to t do also select f_rule();
    create table plain (id int);
  `)
  const t = must(index.relation('public', 't'))
  expect(called(index, t)).toEqual(['f_check', 'f_eq', 'f_index', 'f_policy', 'f_rule', 'f_trigger', 'f_when'])
  expect([t.hasTriggers, t.hasRules, t.rowSecurity]).toEqual([true, true, true])
  const plain = must(index.relation('public', 'plain'))
  expect([plain.hasTriggers, plain.hasRules, plain.rowSecurity, plain.functions]).toEqual([false, false, false, []])
  expect(index.operatorRoutines('===')).toEqual(index.routines('f_eq').map(each => each.id))
})

test('views come with qualified definitions and their functions', async () => {
  const index = await indexed(`
    create schema other;
    create table other.t (id int);
    create function f(int) returns int language sql as 'select 1';
    create function total(int) returns int language sql as 'select 1';
    set search_path = other, public;
    create view public.v as select f(id) as x, count(*) over (order by id) from t;
    create materialized view public.m as select id from t;
    reset search_path;
  `)
  const view = must(index.relation('public', 'v'))
  expect(view.definition).toContain('FROM other.t')
  expect(view.definition).toContain('public.f(')
  expect([view.kind, view.hasRules, called(index, view)]).toEqual(['v', false, ['f']])
  expect(must(index.relation('public', 'm'))).toMatchObject({ kind: 'm', placement: { kind: 'local' } })
  expect(index.resolve('t', ['public', 'other'])?.schema).toBe('other')
  expect(index.resolve('t', ['public'])).toBe(undefined)
})

test('routines: bodies, languages, settings, aggregates', async () => {
  const index = await indexed(`
    create table t (id int);
    create function a() returns bigint language sql stable as 'select count(*) from t';
    create function b() returns bigint language sql begin atomic select count(*) from t; end;
    create function b2() returns int language sql return 1 + 1;
    create procedure c() language plpgsql security definer set work_mem = '1MB' set search_path = public as 'begin null; end';
    create function step(int, int) returns int language plpgsql volatile as 'begin return $1; end';
    create function ends(int) returns int language sql immutable as 'select $1';
    create aggregate one(int) (sfunc = step, stype = int);
    create aggregate two(int) (sfunc = step, stype = int, finalfunc = ends);
    create aggregate builtin(int) (sfunc = int4pl, stype = int);
  `)
  const routine = (name: string) => must(index.routines(name)[0])
  expect(routine('a')).toMatchObject({ kind: 'f', volatility: 's', language: 'sql', body: 'select count(*) from t' })
  expect(routine('b').body).toMatch(/^BEGIN ATOMIC\s+SELECT count\(\*\) AS count\s+FROM public\.t;\s*END$/)
  expect(routine('b2').body).toBe('RETURN (1 + 1)')
  expect(routine('c')).toMatchObject({ kind: 'p', securityDefiner: true, settings: ['search_path', 'work_mem'] })
  expect(routine('one')).toMatchObject({
    kind: 'a',
    volatility: 'v',
    language: 'plpgsql',
    body: 'begin return $1; end',
  })
  expect(routine('two')).toMatchObject({ kind: 'a', volatility: 'v', language: 'plpgsql', body: null })
  expect(routine('builtin')).toMatchObject({ kind: 'a', volatility: 'i', language: 'internal', body: null })
  expect(index.routines('a').every(each => !each.extension)).toBe(true)
})

test('types with code behind them', async () => {
  const index = await indexed(`
    create function f_low(int) returns bool language sql immutable as 'select true';
    create function f_high(int) returns bool language sql immutable as 'select true';
    create domain low as int check (f_low(value));
    create domain high as low check (f_high(value));
    create type pair as (a int, b int);
    create function f_cast(pair) returns int language sql immutable as 'select 1';
    create cast (pair as int) with function f_cast(pair);
  `)
  const names = (type: string) => index.typeRoutines(type).map(id => must(index.routineById(id)).name)
  expect(names('low')).toEqual(['f_low'])
  expect(names('high').toSorted()).toEqual(['f_high', 'f_low'])
  expect(names('pair')).toEqual(['f_cast'])
  expect(names('int4')).toEqual(['f_cast'])
})

test('parents and foreign keys', async () => {
  const index = await indexed(
    `
    create table p (id int primary key) partition by range (id);
    create table p1 partition of p for values from (0) to (10) partition by range (id);
    create table p11 partition of p1 for values from (0) to (5);
    create table old (id int); create table child () inherits (old);
    create table r (id int references p);
    create unlogged table u (id int); create temporary table tmp (id int);
  `,
    {
      tables: [
        { name: 'p', key: 'id' },
        { name: 'old', reference: true },
      ],
    },
  )
  const of = (name: string) => must(index.relation('public', name))
  expect([of('p1').parent, of('p11').parent, of('child').parent]).toEqual([of('p').id, of('p1').id, of('old').id])
  const sharded = { kind: 'sharded', column: 'id', type: 'int', maxChars: 0 }
  expect([of('p').placement, of('p1').placement, of('p11').placement]).toEqual([sharded, sharded, sharded])
  expect(of('child').placement).toEqual({ kind: 'reference' })
  // A server keeps the constraint for each partition too.
  expect(of('r').references).toEqual([of('p').id, of('p1').id, of('p11').id])
  expect(of('p').referencedBy).toEqual([of('r').id])
  expect(of('u').persistence).toBe('u')
  expect(index.catalog.relations.some(each => each.name === 'tmp')).toBe(false)
  expect(index.children(of('p').id).map(each => each.name)).toEqual(['p1'])
})

describe('placement', () => {
  test('every key type', async () => {
    const types = ['int2', 'int4', 'int8', 'text', 'varchar', 'varchar(7)', 'uuid']
    const tables = types.map((_, i) => ({ name: `"K${i}"`, key: 'k' }))
    const sql = types.map((type, i) => `create table "K${i}" (k ${type});`).join('')
    const index = await indexed(sql, { tables })
    expect(types.map((_, i) => must(index.relation('public', `K${i}`)).placement)).toEqual([
      { kind: 'sharded', column: 'k', type: 'int', maxChars: 0 },
      { kind: 'sharded', column: 'k', type: 'int', maxChars: 0 },
      { kind: 'sharded', column: 'k', type: 'int', maxChars: 0 },
      { kind: 'sharded', column: 'k', type: 'text', maxChars: 0 },
      { kind: 'sharded', column: 'k', type: 'text', maxChars: 0 },
      { kind: 'sharded', column: 'k', type: 'text', maxChars: 7 },
      { kind: 'sharded', column: 'k', type: 'uuid', maxChars: 0 },
    ])
  })

  test.each([
    ['create table t (k numeric)', 'type numeric'],
    ['create table t (k char(3))', 'type character(3)'],
    ['create domain d as int; create table t (k d)', 'type public.d'],
    ['create table t (x int)', 'no column "k"'],
    ['create view t as select 1 as k', 'not a table'],
    ['create table t (x int, k int generated always as (x) stored)', 'generated column'],
    [
      `create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); create table t (k text collate ci)`,
      'non-deterministic collation',
    ],
    ['create table above (k int); create table t () inherits (above)', 'declare the parent'],
  ])('%s is a problem', async (sql, expected) => {
    await client.query(sql)
    const { catalog, problems } = await load({ tables: [{ name: 't', key: 'k' }] })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(expected)
    const table = catalog.relations.find(each => each.name === 't')
    // It never passes for a table of default_shard.
    expect(table?.placement.kind).toBe('sharded')
  })

  test('a child that is declared otherwise than its parent', async () => {
    await client.query('create table a (k int, l int); create table t () inherits (a)')
    const { problems } = await load({
      tables: [
        { name: 'a', key: 'k' },
        { name: 't', key: 'l' },
      ],
    })
    expect(problems).toEqual(['public.t is placed otherwise than its parent public.a'])
  })
})

test('search_path of another user', async () => {
  await client.query(
    `drop role if exists walker; create role walker; create schema other; create schema walker authorization walker`,
  )
  try {
    const path = async (): Promise<readonly string[]> => (await load({ serverUser: 'walker' })).catalog.searchPath
    // public was made by the superuser alone.
    expect(await path()).toEqual(['walker'])
    await client.query('grant usage on schema public, other to walker')
    expect(await path()).toEqual(['walker', 'public'])
    await client.query(
      `do $$ begin execute format('alter database %I set search_path = other, nowhere', current_database()); end $$`,
    )
    expect(await path()).toEqual(['other'])
    await client.query(`alter role walker set search_path = "$user", Other, public`)
    expect(await path()).toEqual(['walker', 'other', 'public'])
    expect((await load({ serverUser: 'nobody there' })).catalog.searchPath).toEqual(['other'])
  } finally {
    await client.query(`do $$ begin execute format('alter database %I reset search_path', current_database()); end $$`)
    await client.query(
      'drop schema walker; revoke all on schema public from walker; drop schema other; drop role walker',
    )
  }
})

test('extensions are known as such', async () => {
  const available = await client.query(`select 1 from pg_available_extensions where name = 'citext'`)
  if (available.rowCount === 0) return
  const index = await indexed('create extension citext')
  expect(index.routines('citext_eq').every(each => each.extension)).toBe(true)
  expect(index.operatorRoutines('=').length).toBeGreaterThan(0)
  expect(index.typeRoutines('citext').length).toBeGreaterThan(0)
})
