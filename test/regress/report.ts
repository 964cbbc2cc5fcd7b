/** What a run leaves: one JSON with everything, one Markdown to read. */
import type { Comparison, Difference } from './compare.ts'

export interface RunResult {
  readonly run: string
  readonly seconds: number
  /** Files that took longer than the limit. */
  readonly late: readonly string[]
  readonly comparison: Comparison
  /** Lines of Shardway's log at level error. */
  readonly errors: readonly string[]
}

export interface Report {
  readonly start: string
  readonly end: string
  readonly shardway: string
  readonly postgres: string
  readonly workers: number
  readonly regressLibrary: boolean
  readonly files: number
  readonly runs: readonly RunResult[]
}

const SHOWN_HUNKS = 6
const SHOWN_LINES = 24

const TITLES: Readonly<Record<string, string>> = {
  again: 'direct, a second time',
  session: 'through Shardway, session pooling',
  transaction: 'through Shardway, transaction pooling',
}

export function toMarkdown(report: Report): string {
  const { runs } = report
  const rows = runs.map(({ run, comparison: { equal, unstable, different }, seconds }) =>
    [TITLES[run] ?? run, equal.length, unstable.length, different.length, seconds].join(' | '),
  )
  return [
    `# Postgres ${report.postgres}'s regression schedule through Shardway ${report.shardway}`,
    '',
    `${report.start}, ${report.files} files, each run on a fresh server and compared with a direct run on the same machine.`,
    `${report.workers} data process(es).${report.regressLibrary ? '' : ' regress.so could not be compiled: the tests that load it fail alike everywhere.'}`,
    'The reasons for what differs: [docs/internals/regress.md](../../../docs/internals/regress.md).',
    '',
    '| run | equal | differ as two direct runs do | different | seconds |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows.map(row => `| ${row} |`),
    ...runs.flatMap(section),
    '',
  ].join('\n')
}

function section({ run, comparison, late, errors }: RunResult): string[] {
  const { unstable, different } = comparison
  return [
    '',
    `## ${TITLES[run] ?? run}`,
    ...(late.length === 0 ? [] : ['', `Ended by the time limit: ${late.join(', ')}.`]),
    ...(errors.length === 0 ? [] : ['', 'Errors in the log:', '', ...fenced(errors.slice(0, 20))]),
    ...(unstable.length === 0 ? [] : ['', `Differ as two direct runs do: ${unstable.join(', ')}.`]),
    ...(different.length === 0 ? ['', 'Nothing differs.'] : different.flatMap(shown)),
  ]
}

function shown({ test, hunks }: Difference): string[] {
  const left = hunks.length - SHOWN_HUNKS
  return [
    '',
    `### ${test}`,
    '',
    ...fenced(hunks.slice(0, SHOWN_HUNKS).flatMap(shorten)),
    ...(left > 0 ? ['', `… and ${left} more hunks.`] : []),
  ]
}

function shorten(hunk: string): string[] {
  const lines = hunk.split('\n').map(line => (line.length > 160 ? `${line.slice(0, 160)}…` : line))
  return lines.length <= SHOWN_LINES
    ? lines
    : [...lines.slice(0, SHOWN_LINES), `… ${lines.length - SHOWN_LINES} more lines`]
}

/** A fence longer than any in the text. */
function fenced(lines: readonly string[]): string[] {
  return ['````diff', ...lines, '````']
}
