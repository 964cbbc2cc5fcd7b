import { beforeAll, describe, expect, test } from 'vitest'
import type { KeySource, Plan } from '../../router/plan.ts'
import { loadParser } from '../../router/planner/parse.ts'
import { ANY_SHARD } from '../../router/router.ts'
import { slotOfBytes, slotOfNumber } from '../../router/slots.ts'
import { bind, CONTEXT, INT, keysOn, planWith, route, router, stateOf, topology } from './router-fixture.ts'

beforeAll(() => loadParser())

const int8 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const slots = (
  key: Partial<Extract<KeySource, { from: 'parameter' }>>,
  value: Buffer | string | null,
  format: number,
  declared: number,
): readonly number[] | string => {
  const source: KeySource = {
    from: 'parameter',
    index: 0,
    array: false,
    type: INT,
    maxChars: 0,
    shared: false,
    ...key,
  }
  const r = router(() => ({ plan: planWith([source]), exactOnly: false }))
  const state = stateOf(() => r.resolve(planWith([source]), r.literals.bytes, bind([value], [format]), [declared]))
  return state === 'no error' ? [...r.slots] : state
}
const key = (n: number): KeySource => ({ from: 'constant', type: INT, text: String(n) })

describe('keys to a shard', () => {
  const [a = 0, b = 0] = keysOn(0, 2)
  const [c = 0] = keysOn(1, 1)

  test('several keys on one shard, and on two', () => {
    const r = router()
    expect(route(r, `select * from t where id in (${a}, ${b})`)).toBe(0)
    expect(r.slots).toEqual([slotOfNumber(a), slotOfNumber(b)])
    expect(stateOf(() => route(r, `select * from t where id in (${a}, ${c})`))).toBe('0A000')
  })

  test('one shard refuses nothing', () => {
    const key: KeySource = { from: 'parameter', index: 0, array: false, type: INT, maxChars: 0, shared: true }
    const r = router(() => ({ plan: planWith([key]), exactOnly: false }), 10_000, topology(['s0']))
    const bytes = Buffer.from('select * from t where id = $1')
    const plan = r.find(bytes, 0, bytes.length, CONTEXT)
    expect(r.resolve(plan, bytes, bind([Buffer.alloc(8)], [1]), [])).toBe(0)
    expect([r.slotsComplete, r.slots]).toEqual([false, []])
    expect(r.resolve(plan, bytes, bind([null]), [])).toBe(0)
  })

  test('other targets', () => {
    const r = router()
    const target = (value: Plan['target']): number =>
      r.resolve(planWith([], { target: value }), Buffer.alloc(0), null, [])
    expect(target({ kind: 'any' })).toBe(ANY_SHARD)
    expect(target({ kind: 'default' })).toBe(0)
    expect(target({ kind: 'shard', name: 's1' })).toBe(1)
    expect(stateOf(() => target({ kind: 'shard', name: 's9' }))).toBe('22023')
    expect(target({ kind: 'shard', name: 's1', keys: [key(c)] })).toBe(1)
    expect(stateOf(() => target({ kind: 'shard', name: 's1', keys: [key(a)] }))).toBe('22023')
    expect(target({ kind: 'keys', keys: [key(a)], withDefault: true })).toBe(0)
    expect(stateOf(() => target({ kind: 'keys', keys: [key(c)], withDefault: true }))).toBe('0A000')
  })

  test('the text of a prepared statement is lexed anew after another text', () => {
    const r = router()
    const kept = Buffer.from(`select * from t where id = ${c}`)
    const plan = r.find(kept, 0, kept.length, CONTEXT)
    route(r, `select * from t where id = ${a}`)
    expect(r.resolve(plan, kept, null, [])).toBe(1)
  })

  test('NULL for a key column that may be null is refused only where rows are written', () => {
    const r = router()
    const sql = (text: string): string => {
      const bytes = Buffer.from(text)
      return stateOf(() => r.resolve(r.find(bytes, 0, bytes.length, CONTEXT), bytes, bind([null]), []))
    }
    expect(sql('insert into loose (id) values ($1)')).toBe('22023')
    expect(sql('insert into t (id) values ($1)')).toBe('no error')
    expect(sql('select * from loose where id = $1')).toBe('no error')
  })

  describe('parameters', () => {
    const minusOne = [slotOfNumber(-1)]

    test('integers', () => {
      expect(slots({}, '-1', 0, 0)).toEqual(minusOne)
      expect(slots({}, ' -1 ', 0, 20)).toEqual(minusOne)
      expect(slots({}, Buffer.from([255, 255]), 1, 21)).toEqual(minusOne)
      expect(slots({}, Buffer.from([255, 255, 255, 255]), 1, 23)).toEqual(minusOne)
      expect(slots({}, int8(-1n), 1, 20)).toEqual(minusOne)
      expect(slots({}, int8(-1n), 1, 0)).toEqual(minusOne)
      expect(slots({}, '12345678901', 0, 0)).toEqual([slotOfNumber(12345678901)])
      // The server answers for these.
      expect(slots({}, 'x', 0, 20)).toEqual([])
      expect(slots({}, null, 0, 20)).toEqual([])
      expect(slots({}, '0x10', 0, 20)).toBe('0A000')
      expect(slots({}, int8(1n), 1, 23)).toBe('0A000')
      expect(slots({}, Buffer.alloc(3), 1, 0)).toBe('0A000')
      for (const type of [701, 1700, 25, 16]) expect(slots({}, '1', 0, type)).toBe('0A000')
    })

    test('a parameter that stands elsewhere too', () => {
      const shared = { shared: true }
      expect(slots(shared, '-1', 0, 0)).toEqual(minusOne)
      expect(slots(shared, '99999999', 0, 0)).toBe('0A000')
      expect(slots(shared, '99999999', 0, 20)).toEqual([slotOfNumber(99999999)])
      expect(slots(shared, '1e3', 0, 0)).toBe('0A000')
      expect(slots(shared, int8(1n), 1, 0)).toBe('0A000')
      expect(slots(shared, int8(-1n), 1, 20)).toEqual(minusOne)
      expect(slots({ ...shared, type: 'text' }, 'ab ', 0, 0)).toBe('0A000')
      expect(slots({ ...shared, type: 'text' }, 'ab ', 0, 25)).toEqual([slotOfBytes(Buffer.from('ab '), 0, 3)])
    })

    test('texts and uuids', () => {
      const text = { type: 'text' as const }
      const expected = [slotOfBytes(Buffer.from('äb'), 0, 3)]
      expect(slots(text, 'äb', 0, 0)).toEqual(expected)
      expect(slots(text, 'äb', 1, 1043)).toEqual(expected)
      expect(slots({ ...text, maxChars: 2 }, 'äb   ', 0, 1043)).toEqual(expected)
      expect(slots(text, 'äb', 0, 1042)).toBe('0A000')
      const uuid = { type: 'uuid' as const }
      const raw = Buffer.from('a0eebc999c0b4ef8bb6d6bb9bd380a11', 'hex')
      const slot = [slotOfBytes(raw, 0, 16)]
      expect(slots(uuid, raw, 1, 2950)).toEqual(slot)
      expect(slots(uuid, '{A0EEBC99-9C0B4EF8bb6d6bb9bd380a11}', 0, 0)).toEqual(slot)
      expect(slots(uuid, raw.subarray(1), 1, 2950)).toBe('0A000')
    })

    test('arrays', () => {
      const array = { array: true }
      expect(slots(array, '{-1,NULL,"-1"}', 0, 1016)).toEqual([...minusOne, ...minusOne])
      expect(slots(array, '{}', 0, 0)).toEqual([])
      expect(slots(array, '{{1}}', 0, 0)).toBe('0A000')
      expect(slots(array, '{1}', 0, 1231)).toBe('0A000')
      const binary = Buffer.concat([
        Buffer.from('00000001000000000000001400000001000000010000000 8'.replace(' ', ''), 'hex'),
        int8(-1n),
      ])
      expect(slots(array, binary, 1, 1016)).toEqual(minusOne)
      expect(slots(array, binary, 1, 0)).toEqual(minusOne)
      expect(slots(array, binary, 1, 1007)).toBe('0A000')
      expect(slots({ ...array, type: 'text' }, binary, 1, 0)).toBe('0A000')
    })
  })
})
