import { expect, test } from 'vitest'
import type { Case, Sample } from '../../bench/measure.ts'
import type { ContenderName } from '../../bench/options.ts'
import { caseLines, judge } from '../../bench/report.ts'
import { SELECT } from '../../bench/workloads.ts'

const one: Case = { workload: SELECT, mode: 'simple', clients: 16 }

function samples(contender: ContenderName, throughput: readonly number[]): Sample[] {
  return throughput.map((perSecond, round) => ({
    workload: 'select',
    mode: 'simple',
    clients: 16,
    contender,
    round,
    transactions: perSecond,
    perSecond,
    cpuUsPerStatement: 10,
    latenciesUs: [100, 200, 300],
  }))
}

test('the gate fails when the whole interval lies below the bound', () => {
  const measured = [...samples('shardway', [50, 51, 49, 50]), ...samples('pgbouncer', [100, 100, 100, 100])]
  expect(judge(one, measured, 0.6).passed).toBe(false)
})

test('the gate passes when the interval reaches the bound, whatever the mean', () => {
  const measured = [...samples('shardway', [30, 80, 40, 60]), ...samples('pgbouncer', [100, 100, 100, 100])]
  expect(judge(one, measured, 0.6).passed).toBe(true)
})

test('the gate fails without a pair of rounds to compare', () => {
  expect(judge(one, samples('shardway', [100, 100]), 0.6).passed).toBe(false)
})

test('a line for each contender, with ratios of those that ran', () => {
  const lines = caseLines(one, [...samples('shardway', [50]), ...samples('direct', [100])])
  expect(lines).toHaveLength(2)
  expect(lines[0]).toMatch(/direct +100/)
  expect(lines[1]).toMatch(/shardway +50 +0\.50/)
})
