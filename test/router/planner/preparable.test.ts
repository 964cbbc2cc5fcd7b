import { describe, expect, it } from 'vitest'
import { CatalogIndex } from '../../../src/catalog/catalog-index.ts'
import { CATALOG } from './fixture-catalog.ts'
import { planFor } from './fixture.ts'

/** Every table's key columns as its unique index. */
const uniques: Readonly<Record<string, readonly string[]>> = { customers: ['id'], orders: ['customer_id', 'id'] }
const catalog = new CatalogIndex({
  ...CATALOG,
  relations: CATALOG.relations.map(relation => {
    const key = uniques[relation.name]
    return key === undefined ? relation : { ...relation, uniques: [key] }
  }),
})

function preparable(sql: string, literals = true): boolean {
  return planFor(sql, { catalog, literals }).plan.preparable
}

describe('what the proxy may prepare by itself', () => {
  it.each([
    'SELECT name FROM customers WHERE id = 5',
    'select * from public.customers c where c.id = 5',
    'SELECT name AS n, customers.id FROM customers WHERE 5 = id',
    `SELECT name FROM customers WHERE id = '5' AND name = 'x'`,
    'SELECT id FROM orders WHERE customer_id = 1 AND id = 2',
    'SELECT id FROM orders WHERE (customer_id = 1 AND id = 2) AND id = 3',
    'SELECT name FROM customers WHERE id = $1',
    'SELECT name FROM customers WHERE id = $1 AND name = $2',
  ])('%s', sql => {
    expect(preparable(sql)).toBe(true)
    expect(preparable(sql, false)).toBe(true)
  })

  it.each([
    ['no unique index', 'SELECT id FROM orders WHERE customer_id = 1'],
    ['a range', 'SELECT name FROM customers WHERE id = 5 AND id < 9'],
    ['a numeric', 'SELECT name FROM customers WHERE id = 5.0'],
    ['a cast, which may freeze', `SELECT name FROM customers WHERE id = '5'::int`],
    ['a function', 'SELECT upper(name) FROM customers WHERE id = 5'],
    ['column notation of a function', 'SELECT customers.nothing FROM customers WHERE id = 5'],
    ['a literal elsewhere', 'SELECT name, 7 FROM customers WHERE id = 5'],
    ['a place in ORDER BY', 'SELECT name FROM customers WHERE id = 5 ORDER BY 1'],
    ['LIMIT', 'SELECT name FROM customers WHERE id = 5 LIMIT 1'],
    ['OR', 'SELECT name FROM customers WHERE id = 5 OR id = 5'],
    ['IN', 'SELECT name FROM customers WHERE id IN (5)'],
    ['a lock', 'SELECT name FROM customers WHERE id = 5 FOR SHARE'],
    ['DISTINCT', 'SELECT DISTINCT name FROM customers WHERE id = 5'],
    ['GROUP BY', 'SELECT name FROM customers WHERE id = 5 GROUP BY name'],
    ['a join', 'SELECT name FROM customers c, orders o WHERE c.id = 5 AND o.customer_id = 5 AND o.id = 1'],
    ['a subquery', 'SELECT name FROM customers WHERE id = (SELECT 5)'],
    ['WITH', 'WITH c AS (SELECT 1) SELECT name FROM customers WHERE id = 5'],
    ['a column list', 'SELECT x FROM customers AS c (x) WHERE id = 5'],
    ['no columns', 'SELECT FROM customers WHERE id = 5'],
    ['a write', 'DELETE FROM customers WHERE id = 5'],
    ['two statements', 'SELECT name FROM customers WHERE id = 5; SELECT 1'],
    ['NULL', 'SELECT name FROM customers WHERE id = NULL'],
    ['a set operation', 'SELECT name FROM customers WHERE id = 5 UNION SELECT name FROM customers WHERE id = 5'],
  ])('not with %s', (_, sql) => {
    expect(preparable(sql)).toBe(false)
    expect(preparable(sql, false)).toBe(false)
  })

  it('a sign stays in the text: no parameter can take the place of its literal', () => {
    const sql = 'SELECT name FROM customers WHERE id = -5'
    expect(preparable(sql)).toBe(false)
    expect(preparable(sql, false)).toBe(true)
  })

  it('not where a temporary table may have the name, or rules and policies change the rows', () => {
    const sql = 'SELECT name FROM customers WHERE id = 5'
    const context = { temporary: new Set(['other']) }
    expect(planFor(sql, { catalog, context }).plan.preparable).toBe(false)
    for (const change of [{ hasRules: true }, { rowSecurity: true }, { kind: 'p' }, { persistence: 'u' }]) {
      const relations = catalog.catalog.relations.map(one => (one.name === 'customers' ? { ...one, ...change } : one))
      const changed = new CatalogIndex({ ...CATALOG, relations })
      expect(planFor(sql, { catalog: changed }).plan.preparable).toBe(false)
    }
  })
})
