import { expect, test } from 'vitest'
import { loadOidNames, oidMap } from '../../../src/catalog/oids.ts'
import { openOracle } from '../../support/oracle.ts'

const OBJECTS = [
  `create type mood as enum ('good', 'bad')`,
  'create table "T 1" (id int, how mood)',
  'create domain small as int',
  `create type other.mood as enum ('x')`,
]

test('types, their arrays, row types and relations, by name', async () => {
  const oracle = await openOracle()
  try {
    const first = await oracle.connect()
    await first.query('create database second')
    const second = await oracle.connect('second')
    await first.query('create schema other')
    await second.query('create schema other')
    for (const sql of OBJECTS) await first.query(sql)
    // The other way round, after something else, as on a shard that was made by hand.
    await second.query('create type only_here as (a int)')
    for (const sql of OBJECTS.toReversed()) {
      await second.query(
        sql.replace('how mood', 'how int').replace('create table', 'create type mood2 as enum (); create table'),
      )
    }
    const pairs = oidMap(await loadOidNames(second), await loadOidNames(first))
    const types = new Map(pairs.types)
    for (const name of ['mood', 'mood[]', 'small', 'small[]', 'other.mood', 'other.mood[]', '"T 1"', '"T 1"[]']) {
      const query = `select $1::regtype::oid::int as oid`
      const theirs = await second.query(query, [name])
      const ours = await first.query(query, [name])
      expect([name, types.get(theirs.rows[0].oid)]).toEqual([name, ours.rows[0].oid])
    }
    const table = `select '"T 1"'::regclass::oid::int as oid`
    const relation = (await second.query(table)).rows[0].oid
    expect(new Map(pairs.relations).get(relation)).toBe((await first.query(table)).rows[0].oid)
    const alone = (await second.query(`select 'only_here'::regtype::oid::int as oid`)).rows[0].oid
    expect(types.has(alone)).toBe(false)
    expect(pairs.types.some(([from]) => from < 10000)).toBe(false)
    const same = oidMap(await loadOidNames(first), await loadOidNames(first))
    expect(same).toEqual({ types: [], relations: [] })
  } finally {
    await oracle.close()
  }
})
