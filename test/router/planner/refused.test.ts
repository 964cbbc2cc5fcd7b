import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadParser } from '../../../router/planner/parse.ts'
import { planStatement } from '../../../router/planner/plan-statement.ts'
import { Router } from '../../../router/router.ts'
import { ShardwayError } from '../../../src/errors/shardway-error.ts'
import { catalog, DEFAULT_CONTEXT, planFor, topologyOf } from './fixture.ts'

/** Statements beyond this release's scope: each must be refused, by its plan or when its keys are resolved. */
const REFUSED = JSON.parse(readFileSync(new URL('../../golden/refused.json', import.meta.url), 'utf8')) as Record<
  string,
  string[]
>

beforeAll(loadParser)

function answer(text: string): { sqlstate: string; hint: string } | string {
  const router = new Router({
    catalog: catalog.catalog,
    topology: topologyOf(2),
    planBytes: 1_000_000,
    planner: planStatement,
  })
  const bytes = Buffer.from(text)
  const plan = router.find(bytes, 0, bytes.length, DEFAULT_CONTEXT)
  if (plan.refusal !== null) return plan.refusal
  try {
    router.resolve(plan, bytes, null, [])
  } catch (error) {
    if (error instanceof ShardwayError) return { sqlstate: error.sqlstate, hint: error.hint ?? '' }
    throw error
  }
  return `runs on ${JSON.stringify(plan.target)}`
}

test('the list is long', () => {
  expect(Object.values(REFUSED).flat().length).toBeGreaterThan(200)
})

for (const [topic, statements] of Object.entries(REFUSED)) {
  describe(topic, () => {
    test.each(statements)('%s', statement => {
      const refusal = answer(statement)
      expect(refusal).toMatchObject({ sqlstate: '0A000' })
      expect((refusal as { hint: string }).hint).not.toBe('')
    })

    test.each(statements)('one shard takes it: %s', statement => {
      const { plan } = planFor(statement, { shards: 1 })
      const refused = plan.refusal !== null
      // Only what the proxy itself would have to answer in the middle of a text is refused there.
      expect(refused).toBe(statement.includes('shardway.') && plan.statements > 1)
    })
  })
}
