import { expect, test } from 'vitest'
import { median, percentile, ratioInterval } from '../../bench/statistics.ts'

test('percentile is the nearest rank', () => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  expect(percentile(values, 50)).toBe(5)
  expect(percentile(values, 99)).toBe(10)
  expect(percentile(values, 0)).toBe(1)
  expect(percentile([], 50)).toBeNaN()
})

test('median of odd and even counts', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
})

test('equal ratios give an interval without width', () => {
  const { mean, low, high } = ratioInterval([
    [50, 100],
    [5, 10],
    [1, 2],
  ])
  expect(mean).toBeCloseTo(0.5, 12)
  expect(low).toBeCloseTo(0.5, 12)
  expect(high).toBeCloseTo(0.5, 12)
})

test('the interval is Student’s t on the logarithms', () => {
  // Logarithms −1, 0, 1: mean 0, standard deviation 1, t(0.975; 2) = 4.303.
  const pairs = [-1, 0, 1].map(log => [Math.exp(log), 1] as const)
  const { mean, low, high } = ratioInterval(pairs)
  expect(mean).toBeCloseTo(1, 12)
  expect(Math.log(high)).toBeCloseTo(4.303 / Math.sqrt(3), 9)
  expect(Math.log(low)).toBeCloseTo(-4.303 / Math.sqrt(3), 9)
})

test('one pair proves nothing', () => {
  expect(ratioInterval([[1, 2]])).toEqual({ mean: 0.5, low: 0, high: Number.POSITIVE_INFINITY })
})
