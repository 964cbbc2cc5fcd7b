/** The table, and the gate's verdict. Pure: samples in, lines out. */
import type { Case, Sample } from './measure.ts'
import type { ContenderName } from './options.ts'
import { median, percentile, ratioInterval } from './statistics.ts'

const WIDTHS = [12, 9, 8, 10, 8, 10, 13, 8, 8, 12] as const

export const HEADING = row([
  'script',
  'mode',
  'clients',
  'contender',
  'tx/s',
  'of direct',
  'of pgbouncer',
  'p50 ms',
  'p99 ms',
  'cpu µs/stmt',
])

/** One line a contender. Throughput and processor time are medians over rounds, latencies are of all rounds together. */
export function caseLines(one: Case, samples: readonly Sample[]): readonly string[] {
  const names = [...new Set(samples.map(sample => sample.contender))]
  const order: readonly ContenderName[] = ['direct', 'pgbouncer', 'shardway']
  return order
    .filter(name => names.includes(name))
    .map(name => {
      const own = samples.filter(sample => sample.contender === name)
      const latencies = own.flatMap(sample => sample.latenciesUs).toSorted((a, b) => a - b)
      return row([
        one.workload.name,
        one.mode,
        `${one.clients}`,
        name,
        median(own.map(sample => sample.perSecond)).toFixed(0),
        ratioText(samples, name, 'direct'),
        ratioText(samples, name, 'pgbouncer'),
        milliseconds(percentile(latencies, 50)),
        milliseconds(percentile(latencies, 99)),
        number(median(own.map(sample => sample.cpuUsPerStatement)), 0),
      ])
    })
}

/** Paired by round. */
function pairs(
  samples: readonly Sample[],
  measured: ContenderName,
  base: ContenderName,
): Array<readonly [number, number]> {
  return samples
    .filter(sample => sample.contender === measured)
    .flatMap(sample => {
      const other = samples.find(candidate => candidate.contender === base && candidate.round === sample.round)
      return other === undefined ? [] : [[sample.perSecond, other.perSecond] as const]
    })
}

function ratioText(samples: readonly Sample[], measured: ContenderName, base: ContenderName): string {
  if (measured === base) return ''
  const both = pairs(samples, measured, base)
  return both.length === 0 ? '' : number(ratioInterval(both).mean, 2)
}

export interface Verdict {
  readonly passed: boolean
  readonly line: string
}

/** Fails only when the whole 95 % interval lies below the bound: noise alone never fails a run. */
export function judge(one: Case, samples: readonly Sample[], bound: number): Verdict {
  const both = pairs(samples, 'shardway', 'pgbouncer')
  const { mean, low, high } = ratioInterval(both)
  const passed = both.length > 0 && high >= bound
  const interval = `${number(low, 3)} … ${number(high, 3)}`
  const what = `${one.workload.name}, ${one.mode}, ${one.clients} clients`
  const verdict = passed ? 'ok' : 'FAILED'
  return {
    passed,
    line: `${verdict}: ${what}: ${number(mean, 3)} × PgBouncer (95 %: ${interval}; ${both.length} rounds; bound ${bound})`,
  }
}

function row(cells: readonly string[]): string {
  return cells
    .map((cell, i) => (i < 2 || i === 3 ? cell.padEnd(WIDTHS[i] ?? 0) : cell.padStart(WIDTHS[i] ?? 0) + ' '))
    .join(' ')
    .trimEnd()
}

function milliseconds(us: number): string {
  return number(us / 1000, 2)
}

function number(value: number, digits: number): string {
  return Number.isNaN(value) ? '–' : value.toFixed(digits)
}
