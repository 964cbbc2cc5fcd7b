/** What stays in the repository: one JSON with everything, one Markdown to read. */
import type { Comparison, Difference } from './compare.ts'
import type { KeptRun } from './kept-runs.ts'
import type { RunName } from './options.ts'

export interface RunResult extends KeptRun {
  readonly run: RunName
  readonly comparison: Comparison
}

export interface Report {
  readonly shardway: string
  readonly postgres: string
  readonly regressLibrary: boolean
  readonly files: number
  readonly direct: KeptRun
  readonly runs: readonly RunResult[]
}

const SHOWN_HUNKS = 8
const SHOWN_LINES = 24

const TITLES: Readonly<Record<string, string>> = {
  again: 'direct, a second time',
  session: 'through Shardway, session pooling',
  transaction: 'through Shardway, transaction pooling',
}

export function toMarkdown(report: Report): string {
  const { runs, direct } = report
  const rows = runs.map(({ run, start, comparison: { equal, unstable, different, missing }, seconds }) => {
    const counts = [equal, unstable, different, missing].map(tests => tests.length)
    return [TITLES[run] ?? run, minute(start), ...counts, seconds].join(' | ')
  })
  return [
    `# Postgres ${report.postgres}'s regression schedule through Shardway ${report.shardway}`,
    '',
    `${report.files} files, each run on a fresh server and compared with a direct run on the same machine (${minute(direct.start)}, ${direct.seconds} s).`,
    ...(report.regressLibrary ? [] : ['regress.so could not be compiled: what loads it fails alike in all runs.']),
    'The reasons for what differs: [docs/internals/regress.md](../../../docs/internals/regress.md).',
    '',
    '| run | at (UTC) | equal | differ as two direct runs do | different | not run | seconds |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map(row => `| ${row} |`),
    ...runs.flatMap(section),
    '',
  ].join('\n')
}

/** For the JSON: whole diffs lie in the cache. */
export function shortened({ test, hunks }: Difference): Difference {
  const left = hunks.length - SHOWN_HUNKS
  const shown = hunks.slice(0, SHOWN_HUNKS).map(hunk => shorten(hunk).join('\n'))
  return { test, hunks: left > 0 ? [...shown, `… ${left} more`] : shown }
}

const minute = (time: string): string => time.slice(0, 16).replace('T', ' ')

function section({ run, comparison, late, errors, note }: RunResult): string[] {
  const { unstable, different, missing } = comparison
  return [
    '',
    `## ${(TITLES[run] ?? run).replace(/^./, letter => letter.toUpperCase())}`,
    ...(late.length === 0 ? [] : ['', `Ended by the time limit: ${late.join(', ')}.`]),
    ...(note === undefined ? [] : ['', note]),
    ...(missing.length === 0 ? [] : ['', `Not run: ${missing.join(', ')}.`]),
    ...(errors.length === 0 ? [] : ['', 'Errors in the log:', ...fenced(errors.slice(0, 20))]),
    ...(unstable.length === 0 ? [] : ['', `Differ as two direct runs do: ${unstable.join(', ')}.`]),
    ...(different.length === 0 ? ['', 'Nothing of what was run differs.'] : different.flatMap(shown)),
  ]
}

function shown(difference: Difference): string[] {
  const { test, hunks } = shortened(difference)
  return ['', `### ${test}`, ...fenced(hunks)]
}

function shorten(hunk: string): string[] {
  const lines = hunk.split('\n').map(line => (line.length > 160 ? `${line.slice(0, 160)}…` : line))
  const left = lines.length - SHOWN_LINES
  return left <= 0 ? lines : [...lines.slice(0, SHOWN_LINES), `… ${left} more lines`]
}

/** A fence longer than any in the text. */
function fenced(lines: readonly string[]): string[] {
  return ['', '````diff', ...lines, '````']
}
