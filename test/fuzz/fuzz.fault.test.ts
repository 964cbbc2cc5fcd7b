import { expect, it } from 'vitest'
import { seeded } from '../support/random.ts'
import { fuzz } from './run.ts'

const SECONDS = 20

it.each(['client', 'server'] as const)('mutated bytes of the %s', { timeout: 180_000 }, async target => {
  const { seed } = seeded(`fuzz, ${target}`)
  const { checks } = await fuzz({ target, seconds: SECONDS, seed, workers: 2 })
  expect(checks.filter(({ problems }) => problems.length > 0)).toEqual([])
})
