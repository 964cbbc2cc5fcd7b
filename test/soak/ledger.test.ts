import { expect, test } from 'vitest'
import { contradictions, type FoundAccount, type FoundEntry, Ledger } from './ledger.ts'

function ledger(): Ledger {
  const truth = new Ledger()
  truth.record({ op: 1, key: 10, outcome: 'acknowledged' })
  truth.record({ op: 2, key: 10, outcome: 'failed' })
  truth.record({ op: 3, key: 20, outcome: 'unknown' })
  return truth
}

function problems(entries: readonly (readonly [op: number, key: number])[], values: Readonly<Record<number, number>>) {
  const found: FoundEntry[] = entries.map(([op, key]) => ({ op, key, shard: 's0' }))
  const accounts: FoundAccount[] = Object.entries(values).map(([key, value]) => ({
    key: Number(key),
    value,
    shard: 's0',
  }))
  return contradictions(ledger(), found, accounts).map(check => check.problems.length)
}

test('an unknown write may be there or not', () => {
  expect(problems([[1, 10]], { 10: 1, 20: 0 })).toEqual([0, 0, 0, 0])
  expect(
    problems(
      [
        [1, 10],
        [3, 20],
      ],
      { 10: 1, 20: 1 },
    ),
  ).toEqual([0, 0, 0, 0])
})

test('each kind of contradiction is found', () => {
  expect(problems([], { 10: 0, 20: 0 }), 'acknowledged and lost').toEqual([1, 0, 0, 0])
  const twice = [
    [1, 10],
    [1, 10],
  ] as const
  expect(problems(twice, { 10: 2, 20: 0 }), 'acknowledged and doubled').toEqual([1, 0, 0, 0])
  const risen = [
    [1, 10],
    [2, 10],
  ] as const
  expect(problems(risen, { 10: 2, 20: 0 }), 'failed and there').toEqual([0, 1, 0, 0])
  const foreign = [
    [1, 10],
    [9, 20],
  ] as const
  expect(problems(foreign, { 10: 1, 20: 1 }), 'never tried').toEqual([0, 0, 1, 0])
  const torn = [
    [1, 10],
    [3, 20],
  ] as const
  expect(problems(torn, { 10: 1, 20: 0 }), 'half of a transaction').toEqual([0, 0, 0, 1])
})
