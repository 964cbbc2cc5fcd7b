/**
 * What the planner pins to one shard must answer alike there and on a database with all rows. Random queries run on both;
 * rows of the shard are those with an even key, plus a reference table in full.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from 'pg'
import type { KeySource } from '../../../router/plan.ts'
import { loadParser } from '../../../router/planner/parse.ts'
import type { Relation } from '../../../src/catalog/catalog.ts'
import { openOracle, type Oracle } from '../../support/oracle.ts'
import { Random, seeded } from '../../support/random.ts'
import { catalogWith, planFor } from './fixture.ts'
import { QueryMaker } from './random-query.ts'

const VIEWS: Readonly<Record<string, string>> = {
  v_plain: 'select a.k, a.x, b.y from a join b on b.k = a.k',
  v_group: 'select k, count(*)::int as x, max(y) as y from a group by k',
  v_limit: 'select k, x, y from a order by k, x, y limit 3',
  v_union: 'select k, x, y from a union all select k, x, y from c',
  v_left: 'select a.k, b.k as x, b.y from a left join b on b.k = a.k and b.x = 1',
}

const INT4 = 23

function relation(id: number, name: string): Relation {
  const definition = VIEWS[name] ?? null
  const reference = name === 'r' || definition !== null
  return {
    id,
    schema: 'public',
    name,
    kind: definition === null ? 'r' : 'v',
    persistence: 'p',
    columns: ['k', 'x', 'y'].map(column => ({
      name: column,
      type: INT4,
      notNull: false,
      generated: false,
      volatileDefault: false,
    })),
    placement: definition !== null ? { kind: 'local' } : reference ? { kind: 'reference' } : SHARDED,
    definition,
    functions: [],
    hasTriggers: false,
    hasRules: false,
    rowSecurity: false,
    parent: 0,
    references: [],
    referencedBy: [],
  }
}

const SHARDED = { kind: 'sharded', column: 'k', type: 'int', maxChars: 0 } as const
const NAMES = ['a', 'b', 'c', 'r', ...Object.keys(VIEWS)]
const catalog = catalogWith({
  relations: NAMES.map((name, i) => relation(i + 1, name)),
  routines: [],
  operators: [],
  types: [],
})

let oracle: Oracle
let client: Client

/** k is spread so that joins hit and miss, and both parities have rows that would show. */
async function fill(random: Random): Promise<void> {
  await client.query('drop schema if exists whole cascade; drop schema if exists part cascade')
  await client.query('create schema whole; create schema part')
  for (const table of ['a', 'b', 'c', 'r']) {
    const rows = Array.from({ length: 9 }, () => {
      const key = table === 'r' && random.chance(0.1) ? 'null' : String(random.below(6))
      return `(${key}, ${random.below(4)}, ${random.below(5)})`
    })
    for (const schema of ['whole', 'part']) {
      await client.query(`create table ${schema}.${table} (k int, x int, y int)`)
      await client.query(`insert into ${schema}.${table} values ${rows.join(', ')}`)
    }
    if (table !== 'r') await client.query(`delete from part.${table} where k % 2 <> 0`)
  }
  for (const schema of ['whole', 'part']) {
    await client.query(`set search_path = ${schema}`)
    for (const [name, query] of Object.entries(VIEWS)) await client.query(`create view ${name} as ${query}`)
  }
}

async function answer(schema: string, sql: string): Promise<string> {
  await client.query(`set search_path = ${schema}`)
  const result = await client.query({ text: sql, rowMode: 'array' })
  return result.rows
    .map(row => JSON.stringify(row))
    .toSorted()
    .join('\n')
}

/** Keys of the even shard: where they were not all even the executor would refuse. */
function onEvenShard(keys: readonly KeySource[]): boolean {
  return keys.every(key => key.from === 'constant' && Number(key.text) % 2 === 0)
}

beforeAll(async () => {
  await loadParser()
  oracle = await openOracle()
  client = await oracle.connect()
  await client.query("set statement_timeout = '5s'")
})

afterAll(() => oracle.close())

test('a pinned query answers on its shard what it answers on all rows', { timeout: 600_000 }, async () => {
  const random = seeded('planner soundness')
  const budget = Number(process.env['SHARDWAY_FUZZ_QUERIES'] ?? 3000)
  const maker = new QueryMaker(random)
  let compared = 0
  for (let i = 0; i < budget; i++) {
    if (i % 500 === 0) await fill(random)
    const sql = maker.query(2)
    const { plan } = planFor(sql, { catalog })
    if (plan.refusal !== null) continue
    if (plan.target.kind === 'keys' && !onEvenShard(plan.target.keys)) continue
    if (plan.target.kind !== 'keys' && plan.target.kind !== 'any') continue
    let whole: string
    try {
      whole = await answer('whole', sql)
    } catch {
      continue
    }
    compared++
    expect(await answer('part', sql), sql).toBe(whole)
  }
  process.stdout.write(`planner soundness: ${compared} of ${budget} queries compared\n`)
  expect(compared).toBeGreaterThan(budget / 30)
})
