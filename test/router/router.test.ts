import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Literals } from '../../router/literals.ts'
import type { KeySource } from '../../router/plan.ts'
import { loadParser } from '../../router/planner/parse.ts'
import type { PlanInput, PlanOutput } from '../../router/planner/types.ts'
import type { PlanContext } from '../../router/router.ts'
import { slotOfBytes, slotOfNumber } from '../../router/slots.ts'
import {
  asked,
  CATALOG,
  CONTEXT,
  find,
  INT,
  planWith,
  route,
  router,
  shardOf,
  stateOf,
  topology,
} from './router-fixture.ts'

beforeAll(() => loadParser())
beforeEach(() => {
  asked.length = 0
})

/** Takes the second literal for the key. */
function takesWrongLiteral(input: PlanInput): PlanOutput {
  const literal: KeySource = { from: 'literal', index: 1, negate: false, type: INT, maxChars: 0 }
  const constant: KeySource = { from: 'constant', type: INT, text: '1' }
  return { plan: planWith([input.literals === null ? constant : literal]), exactOnly: false }
}

/** Refuses the place of the word `here`. */
function refusesHere(input: PlanInput): PlanOutput {
  const position = input.bytes.indexOf('here')
  const refusal = { sqlstate: '0A000', message: 'no', hint: '', position }
  return { plan: planWith([], { refusal, tier: 'refused' }), exactOnly: false }
}

describe('plans are found again', () => {
  test('texts of one template share a plan and find their own shard', () => {
    const r = router()
    for (let key = 1; key <= 500; key++) {
      expect(route(r, `select * from t where id = ${key}`)).toBe(shardOf(slotOfNumber(key)))
      expect(r.slots).toEqual([slotOfNumber(key)])
      const text = Buffer.from(`it's ${key}`)
      expect(route(r, `select * from named where id = 'it''s ${key}'`)).toBe(shardOf(slotOfBytes(text, 0, text.length)))
    }
    // Each template is planned once more to compare its literals with the parser's own values.
    expect(asked).toHaveLength(4)
    expect([r.planCount, r.misses, r.hits]).toEqual([2, 2, 998])
  })

  test('an EXECUTE with arguments is not kept', () => {
    const r = router()
    for (let key = 1; key <= 50; key++) route(r, `execute p(${key})`)
    const before = r.planCount
    for (let key = 51; key <= 100; key++) route(r, `execute p(${key})`)
    expect(r.planCount).toBe(before)
    route(r, 'execute q')
    expect(r.planCount).toBe(before + 1)
  })

  test.each([
    ['-5', -5],
    ['- 5', -5],
    ['- - 5', 5],
    ['-(5)', -5],
    ['007', 7],
    [`'5'`, 5],
    [`' -5 '`, -5],
  ])('id = %s', (spelling, key) => {
    const r = router()
    const other = key < 0 ? -6 : 6
    expect(route(r, `select * from t where id = ${spelling}`)).toBe(shardOf(slotOfNumber(key)))
    expect(r.slots).toEqual([slotOfNumber(key)])
    route(r, `select * from t where id = ${spelling.replace(/\d+/, '6')}`)
    expect(r.slots).toEqual([slotOfNumber(other)])
  })

  test('texts without literals by the whole text', () => {
    const r = router()
    const first = find(r, 'select * from t where id = $1')
    expect(find(r, 'select * from t where id = $1')).toBe(first)
    expect([asked.length, r.hits]).toEqual([1, 1])
    expect(r.literals.count).toBe(0)
  })

  test('exact-only texts do not spoil their template', () => {
    const r = router(input => ({ plan: planWith([], { tier: 'single' }), exactOnly: input.literals !== null }))
    const [one, two] = [find(r, 'select f(1)'), find(r, 'select f(2)')]
    expect(one).not.toBe(two)
    expect([find(r, 'select f(1)'), find(r, 'select f(2)')]).toEqual([one, two])
    expect(asked).toEqual(['template select f(1)', 'exact select f(1)', 'exact select f(2)'])
  })

  test('a planner that takes the wrong literal, or keeps a constant, is not believed', () => {
    const r = router(takesWrongLiteral)
    route(r, 'select * from t where id = 1 and x = 2')
    expect(r.slots).toEqual([slotOfNumber(1)])
    const kept = router(() => ({ plan: planWith([{ from: 'constant', type: INT, text: '1' }]), exactOnly: false }))
    const before = find(kept, 'select * from t where id = 1')
    expect(find(kept, 'select * from t where id = 2')).not.toBe(before)
  })

  test('contexts are apart, equal ones together', () => {
    const r = router()
    const plan = find(r, 'select 1')
    expect(find(r, 'select 1', { ...CONTEXT })).toBe(plan)
    const others: PlanContext[] = [
      { ...CONTEXT, role: 'other' },
      { ...CONTEXT, searchPath: ['public'] },
      { ...CONTEXT, temporary: new Set(['t']) },
      { ...CONTEXT, hints: new Map([['key', '1']]) },
    ]
    for (const other of others) expect(find(r, 'select 1', other)).not.toBe(plan)
    expect(find(r, 'select 1')).toBe(plan)
  })

  test('a new catalog or topology forgets them', () => {
    const r = router()
    const plan = find(r, 'select * from t where id = 1')
    r.update(CATALOG, topology(['s0']))
    expect(r.planCount).toBe(0)
    expect(find(r, 'select * from t where id = 1')).not.toBe(plan)
    expect(route(r, 'select * from t where id = 1')).toBe(0)
  })

  test('the bound holds, and what is used stays', () => {
    const r = router(() => ({ plan: planWith([]), exactOnly: false }), 50_000)
    const often = find(r, 'select kept from t')
    const contexts = [CONTEXT, { ...CONTEXT, role: 'other' }]
    for (let i = 0; i < 2000; i++) {
      find(r, `select column_${i} from t`, contexts[i % 2])
      expect(find(r, 'select kept from t')).toBe(often)
      expect(r.planBytes).toBeLessThanOrEqual(50_000)
    }
    expect(r.planCount).toBeGreaterThan(20)
    expect(r.planCount).toBeLessThan(70)
  })

  test('very long texts are planned each time and not kept', () => {
    const r = router()
    const list = Array.from({ length: 20_000 }, (_, i) => i).join(', ')
    expect(stateOf(() => route(r, `select * from t where id in (${list})`))).toBe('0A000')
    expect(r.planCount).toBe(0)
  })

  test('hints reach the planner, a session’s behind the text’s', () => {
    const seen: Record<string, string>[] = []
    const r = router(input => {
      seen.push(Object.fromEntries(input.hints))
      return { plan: planWith([]), exactOnly: false }
    })
    const context = {
      ...CONTEXT,
      hints: new Map([
        ['key', '1'],
        ['role', 'replica'],
      ]),
    }
    find(r, '/* shardway: key=2 */ select 1 /* shardway: shard=s1 */', context)
    expect(seen[0]).toEqual({ key: '2', role: 'replica', shard: 's1' })
    find(r, 'create table x (id int) -- shardway: shard=s0')
    expect(seen.at(-1)).toEqual({ shard: 's0' })
  })

  test.each<[string, Record<string, string>]>([
    ['/* shardway: shard=s1 */ /* shardway: role=replica */ select 1', { shard: 's1', role: 'replica' }],
    ['-- shardway: shard=s1\n/* trace /* x */ */ ; -- shardway: key=2\nselect 1', { shard: 's1', key: '2' }],
    ['/* shardway: key=1 */ /* shardway: key=2 */ select 1', { key: '2' }],
    ['select 1 /* shardway: shard=s1 */; /* x */ -- shardway: role=replica', { shard: 's1', role: 'replica' }],
    ['select /* shardway: key=1 */ 1 /* shardway: shard=s1 */', { shard: 's1' }],
    ['/* shardway: key=1 */ /* shardway: kye=2 */ select 1', { key: '1', kye: '2' }],
  ])('several hint comments add up: %s', (sql, expected) => {
    const seen: Record<string, string>[] = []
    const r = router(input => {
      seen.push(Object.fromEntries(input.hints))
      return { plan: planWith([]), exactOnly: false }
    })
    find(r, sql)
    expect(seen).toEqual([expected])
  })

  test('a syntax error comes out as one', () => {
    const r = router()
    expect(stateOf(() => find(r, 'selec 1'))).toBe('42601')
    expect(stateOf(() => find(r, 'select 1 from from'))).toBe('42601')
    expect(r.planCount).toBe(0)
  })

  test('with one shard the server reads what the router cannot', () => {
    const r = router(undefined, undefined, topology(['s0']))
    expect(find(r, 'selec 1')).toMatchObject({
      unread: { sqlstate: '42601' },
      pin: 'unread statement',
      access: 'write',
    })
    expect(route(r, 'selec 1')).toBe(0)
    const escaped = String.raw`select * from t where id = '\061'`
    expect(find(r, escaped).unread).toBeUndefined()
    expect(find(r, escaped, { ...CONTEXT, escapes: true }).unread?.code).toBe('standard_strings')
    expect(find(r, 'select * from t where id = 1', { ...CONTEXT, escapes: true }).unread).toBeUndefined()
  })

  test('a refusal points to its own text, whatever stands before it', () => {
    const r = router(refusesHere)
    for (const sql of [
      'select 1 /* a */, here',
      `select 22222 /* bbbb */, here`,
      'select 3 /**/, here',
      'select 4 /* ä */, here',
    ]) {
      expect(r.refusalPosition(find(r, sql))).toBe(sql.indexOf('here') + 1)
    }
    for (const sql of [`select 'ä', here`, `select 'äöü 漢', here`]) {
      expect(r.refusalPosition(find(r, sql))).toBe(sql.indexOf('here') + 1)
    }
    expect(asked).toHaveLength(2)
  })
})

test('literals are reused', () => {
  const r = router()
  const before: Literals = r.literals
  find(r, 'select 1, 2')
  expect([r.literals === before, r.literals.count]).toEqual([true, 2])
})
