import { beforeAll, describe, expect, it } from 'vitest'
import { loadParser } from '../../../router/planner/parse.ts'
import { planStatement } from '../../../router/planner/plan-statement.ts'
import { Router } from '../../../router/router.ts'
import { explainStatement } from '../../../src/admin/explain-statement.ts'
import { catalog, topologyOf } from '../../router/planner/fixture.ts'

beforeAll(() => loadParser())

function explain(sql: string, params: ReadonlyArray<string | null> = [], shards = 2): Record<string, string> {
  const topology = topologyOf(shards)
  const router = new Router({ catalog: catalog.catalog, topology, planBytes: 65_536, planner: planStatement })
  const rows = explainStatement(router, topology, { sql, params, role: 'app', consistency: 'fresh' })
  return Object.fromEntries(rows.map(row => [row.property, row.value]))
}

describe('explain', () => {
  it('names the shard of a literal and of a value', () => {
    const literal = explain('select * from customers where id = 42')
    expect(literal).toMatchObject({ tier: 'single', access: 'read', cache: 'off', keys: 'int literal 1' })
    expect(literal['shards']).toMatch(/^s[01]$/)
    expect(literal['role']).toContain('replica')
    expect(literal['touches']).toBe('public.customers (read, by key)')
    const bound = explain('select * from customers where id = $1', ['42'])
    expect(bound).toMatchObject({ tier: 'single', keys: 'int $1', shards: literal['shards'], parameters: '1' })
  })

  it('says what it cannot know yet', () => {
    expect(explain('select * from customers where id = $1')).toMatchObject({
      shards: 'known when the values are bound',
    })
    expect(explain('select * from countries')).toMatchObject({ shards: 'any of s0, s1' })
    expect(explain('begin')).toMatchObject({ tier: 'session', role: 'the session' })
    expect(explain('')).toMatchObject({ tier: 'empty', shards: 'none' })
  })

  it('names the rule that refuses', () => {
    const refused = explain('select * from orders order by 1')
    expect(refused).toMatchObject({ tier: 'refused', shards: 'none' })
    expect(refused['refusal']).toMatch(/^0A000: /)
    const [one, other] = ['1', '2', '3', '4', '5', '6'].reduce<string[]>((found, id) => {
      const shard = explain('select * from customers where id = $1', [id])['shards']
      return found[0] === undefined ||
        (found.length === 1 && shard !== explain('select * from customers where id = $1', [found[0]])['shards'])
        ? [...found, id]
        : found
    }, [])
    expect(explain('select * from customers where id in ($1, $2)', [one!, other!])['refusal']).toMatch(/^0A000: /)
    expect(() => explain('selec 1')).toThrowError(expect.objectContaining({ sqlstate: '42601' }))
    expect(() => explain('select 1', ['7'])).toThrowError(expect.objectContaining({ code: 'bad_command' }))
  })

  it('points where the error on the wire does', () => {
    // Counted in characters from 1, as in ErrorResponse; comments and literals before it count in full.
    const place = (sql: string) => sql.indexOf('orders') + 1
    for (const sql of [
      'select * from orders order by 1',
      "select 'é€', 12345 from orders order by 1",
      '/* a comment */ select count(*) from orders',
    ]) {
      expect(explain(sql)['position']).toBe(String(place(sql)))
    }
  })

  it('says that a table is not in the catalog', () => {
    expect(explain('select * from nowhere')['touches']).toBe('a table that is not in the catalog (read)')
  })

  it('is single with one shard, whatever it is', () => {
    expect(explain('select count(*) from orders', [], 1)).toMatchObject({ tier: 'single' })
  })
})
