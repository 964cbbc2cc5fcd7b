import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadParser } from '../../../router/planner/parse.ts'
import { planFor, summary } from './fixture.ts'

interface Case {
  readonly sql: string
  /** Absent: 2. */
  readonly shards?: number
  readonly hints?: Readonly<Record<string, string>>
  readonly context?: { readonly searchPath?: string[]; readonly temporary?: string[] }
  /** Keys are named by their place among the text's literals. */
  readonly literals?: boolean
  plan?: Record<string, unknown>
}

const FILE = new URL('../../golden/plans.json', import.meta.url)
const CASES = JSON.parse(readFileSync(FILE, 'utf8')) as Case[]
/** UPDATE_GOLDEN=1 writes what the planner says now, to be read before it is committed. */
const UPDATE = process.env['UPDATE_GOLDEN'] === '1'

beforeAll(loadParser)

afterAll(() => {
  if (!UPDATE) return
  writeFileSync(FILE, `[\n${CASES.map(each => `  ${JSON.stringify(each)}`).join(',\n')}\n]\n`)
})

test.each(CASES.map((each, i) => [i, each.sql, each] as const))('%i %s', (_, sql, each) => {
  const { context } = each
  const found = summary(
    planFor(sql, {
      shards: each.shards ?? 2,
      hints: each.hints ?? {},
      literals: each.literals ?? false,
      context: {
        searchPath: context?.searchPath ?? null,
        temporary: context?.temporary === undefined ? null : new Set(context.temporary),
      },
    }),
  )
  if (UPDATE) each.plan = found
  expect(found).toEqual(each.plan)
})
