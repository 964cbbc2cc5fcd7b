import { beforeAll, describe, expect, test } from 'vitest'
import { loadParser } from '../../../router/planner/parse.ts'
import type { CatalogIndex } from '../../../src/catalog/catalog-index.ts'
import { ShardwayError } from '../../../src/errors/shardway-error.ts'
import { catalog, catalogWith, planFor } from './fixture.ts'

beforeAll(loadParser)

function errorOf(text: string): ShardwayError {
  try {
    planFor(text)
  } catch (error) {
    if (error instanceof ShardwayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('texts', () => {
  test.each(['', ' ', ';', ' ; ;', '-- x', '/* x */'])('%j is an empty query', text => {
    expect(planFor(text).plan).toMatchObject({ tier: 'empty', statements: 0, refusal: null })
  })

  test('a syntax error names the character, not the byte', () => {
    expect(errorOf('select é from where')).toMatchObject({ sqlstate: '42601', position: 15 })
  })

  test('nesting past the parser’s stack is 54001', () => {
    expect(errorOf(`select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`).sqlstate).toBe('54001')
  })

  test('long lists and long conditions are planned', () => {
    const list = Array.from({ length: 5000 }, () => '5').join(', ')
    expect(planFor(`select * from customers where id in (${list})`).plan.refusal).toBeNull()
    const or = Array.from({ length: 5000 }, (_, i) => `total = ${i}`).join(' or ')
    expect(planFor(`select * from orders where customer_id = 5 and (${or})`).plan.refusal).toBeNull()
  })

  test('CTEs that double at each step are refused, not followed for ever', () => {
    const parts = ['c0 as (select * from customers)']
    for (let i = 1; i < 30; i++) parts.push(`c${i} as (select a.* from c${i - 1} a join c${i - 1} b on a.id = b.id)`)
    const { plan } = planFor(`with ${parts.join(', ')} select * from c29 where id = 5`)
    expect(plan.refusal?.sqlstate).toBe('0A000')
  })

  test('a refusal points at the table, in bytes', () => {
    const { plan } = planFor("select 'é' from customers")
    expect(plan.refusal?.position).toBe(Buffer.byteLength("select 'é' from "))
  })

  test('the highest parameter is counted', () => {
    expect(planFor('select $3 from customers where id = $1').plan.parameters).toBe(3)
  })
})

describe('what the users’ own objects can change', () => {
  const own = { operators: [['=', [100]]] as const }

  test('an = of the users’ own says nothing about keys', () => {
    const changed = catalogWith(own)
    expect(planFor('select * from customers where id = 5', { catalog: changed }).plan.refusal?.sqlstate).toBe('0A000')
    expect(planFor('select * from customers where id in (5)', { catalog: changed }).plan.refusal).not.toBeNull()
    expect(
      planFor('select * from orders join order_items using (customer_id) where customer_id operator(pg_catalog.=) 5', {
        catalog: changed,
      }).plan.refusal,
    ).not.toBeNull()
    const qualified = 'select * from customers where id operator(pg_catalog.=) 5'
    expect(planFor(qualified, { catalog: catalogWith({ ...own, routines: [] }) }).plan.refusal).toBeNull()
  })

  test('an = that an extension brings for its own types does not', () => {
    const routines = catalog.catalog.routines.map(each => (each.id === 113 ? { ...each, name: 'citext_eq' } : each))
    const changed = catalogWith({ operators: [['=', [113]]], routines })
    expect(planFor('select * from customers where id = 5', { catalog: changed }).plan.refusal).toBeNull()
  })

  test('functions that call each other reach what either reaches, whichever is asked first', () => {
    const base = catalog.catalog.routines[0]
    if (base === undefined) throw new Error('no routine')
    const routines = [
      { ...base, id: 1, name: 'ping', body: 'select pong()' },
      { ...base, id: 2, name: 'pong', body: 'select ping() + (select count(*) from orders)' },
    ]
    for (const order of [
      ['ping', 'pong'],
      ['pong', 'ping'],
    ]) {
      const changed = catalogWith({ routines, operators: [], types: [] })
      for (const name of order) {
        expect(planFor(`select ${name}()`, { catalog: changed }).plan.refusal?.sqlstate).toBe('0A000')
      }
    }
  })
})

describe('an undeclared table with a child that is placed elsewhere', () => {
  const insert = 'insert into local_parent (customer_id) values (5)'

  test('takes no rows where INSERT goes on to partitions', () => {
    const relations = catalog.catalog.relations.map(each =>
      each.name === 'local_parent' ? { ...each, kind: 'p' } : each,
    )
    const { refusal } = planFor(insert, { catalog: catalogWith({ relations }) }).plan
    expect(refusal).toMatchObject({ sqlstate: '0A000', message: expect.stringContaining('"hidden_child"') as string })
  })

  test('keeps the rows of INSERT for itself where the child only inherits', () => {
    expect(planFor(insert).plan).toMatchObject({ refusal: null, target: { kind: 'default' } })
  })
})

function policies(reaches: number[] | undefined): CatalogIndex {
  return catalogWith({
    relations: catalog.catalog.relations.map(each =>
      each.name === 'secured' ? { ...each, ...(reaches === undefined ? {} : { reaches }) } : each,
    ),
  })
}

describe('row security', () => {
  test('policies that are not known, or read sharded tables, refuse a local table', () => {
    expect(planFor('select * from secured', { catalog: policies(undefined) }).plan.refusal).not.toBeNull()
    expect(planFor('select * from secured', { catalog: policies([2]) }).plan.refusal).not.toBeNull()
    expect(planFor('select * from secured', { catalog: policies([6]) }).plan).toMatchObject({
      refusal: null,
      target: { kind: 'default' },
    })
  })
})
