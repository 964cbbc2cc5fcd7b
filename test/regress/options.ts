import { parseArgs } from 'node:util'

/** `again` is a second direct run: what differs there differs by nature. */
export const RUNS = ['direct', 'again', 'session', 'transaction'] as const
export type RunName = (typeof RUNS)[number]

export interface RegressOptions {
  readonly runs: readonly RunName[]
  /** Null: the whole schedule. */
  readonly tests: readonly string[] | null
  /** Left out, and named as not run. */
  readonly skip: readonly string[]
  readonly workers: number
  readonly limitSeconds: number
}

export const USAGE = `npm run test:regress -- [options]

  --runs A,B       of ${RUNS.join(', ')} (all). Those not named count as they ran last;
                   'none' compares them anew
  --tests A,B      files of the schedule, in its order, instead of all. Most need test_setup
  --skip A,B       files to leave out; the result names them
  --workers N      Shardway's data processes (1)
  --limit SECONDS  for one file (300)

When all four have run the schedule, to its end or not, the result goes to test/regress/results/. Outputs and whole diffs lie in
.cache/regress/.
`

export function readOptions(args: readonly string[]): RegressOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string' },
      tests: { type: 'string' },
      skip: { type: 'string' },
      workers: { type: 'string' },
      limit: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const named = values.runs === 'none' ? [] : values.runs?.split(',')
  const unknown = named?.find(name => !(RUNS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new Error(`--runs: ${RUNS.join(', ')}, not '${unknown}'`)
  return {
    runs: RUNS.filter(name => named?.includes(name) ?? true),
    tests: values.tests?.split(',') ?? null,
    skip: values.skip?.split(',') ?? [],
    workers: whole('workers', values.workers, 1),
    limitSeconds: whole('limit', values.limit, 300),
  }
}

function whole(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: a whole number above 0, not '${text}'`)
  return value
}
