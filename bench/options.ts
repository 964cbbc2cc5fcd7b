import { parseArgs } from 'node:util'
import { MODES, WORKLOADS } from './workloads.ts'
import type { Mode, Workload } from './workloads.ts'

export const CONTENDERS = ['direct', 'pgbouncer', 'shardway'] as const
export type ContenderName = (typeof CONTENDERS)[number]

export interface BenchOptions {
  readonly rounds: number
  readonly seconds: number
  readonly clients: readonly number[]
  readonly modes: readonly Mode[]
  readonly workloads: readonly Workload[]
  readonly contenders: readonly ContenderName[]
  readonly workers: number
  readonly gate: boolean
  /** Where the figures are written as JSON, or null. */
  readonly json: string | null
}

export const USAGE = `npm run bench -- [options]

  --rounds N        rounds, each with every contender once (3; gate 8)
  --seconds N       length of one run (3)
  --clients LIST    1,16,64
  --modes LIST      simple,extended,prepared
  --workloads LIST  select,transaction
  --only LIST       of direct,pgbouncer,shardway
  --workers N       Shardway's data processes (1)
  --json FILE       write every single run as JSON
  --gate            judge: SELECT by key, simple and extended, 16 clients, against PgBouncer
`

/** Throws a plain Error that says what is allowed. */
export function readOptions(args: readonly string[]): BenchOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      clients: { type: 'string' },
      modes: { type: 'string' },
      workloads: { type: 'string' },
      only: { type: 'string' },
      workers: { type: 'string' },
      json: { type: 'string' },
      gate: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const gate = values.gate === true
  const names = WORKLOADS.map(workload => workload.name)
  const chosen = list('workloads', values.workloads, names, gate ? ['select'] : names)
  return {
    rounds: count('rounds', values.rounds, gate ? 8 : 3),
    seconds: count('seconds', values.seconds, 3),
    clients: (values.clients ?? (gate ? '16' : '1,16,64')).split(',').map(text => count('clients', text, 1)),
    modes: list('modes', values.modes, MODES, gate ? ['simple', 'extended'] : MODES),
    workloads: WORKLOADS.filter(workload => chosen.includes(workload.name)),
    contenders: list('only', values.only, CONTENDERS, gate ? ['pgbouncer', 'shardway'] : CONTENDERS),
    workers: count('workers', values.workers, 1),
    gate,
    json: values.json ?? null,
  }
}

function count(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: a whole number from 1, not '${text}'`)
  return value
}

function list<T extends string>(
  name: string,
  text: string | undefined,
  allowed: readonly T[],
  absent: readonly T[],
): readonly T[] {
  if (text === undefined) return absent
  return text.split(',').map(part => {
    const found = allowed.find(candidate => candidate === part)
    if (found === undefined) throw new Error(`--${name}: ${allowed.join(', ')}; not '${part}'`)
    return found
  })
}
