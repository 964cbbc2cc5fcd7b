/** Outputs of two runs, file by file. What two direct runs do not agree about is no difference. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface Difference {
  readonly test: string
  /** Hunks as `diff -U3` gives them, the direct run's lines first. */
  readonly hunks: readonly string[]
}

export interface Comparison {
  readonly equal: readonly string[]
  /** Equal but for lines in which two direct runs differ as well. */
  readonly unstable: readonly string[]
  readonly different: readonly Difference[]
  /** Not run, or not to the end. */
  readonly missing: readonly string[]
}

/** `again` is null where no second direct run is to be had. */
export async function compareRuns(
  tests: readonly string[],
  direct: string,
  other: string,
  again: string | null,
): Promise<Comparison> {
  const equal: string[] = []
  const unstable: string[] = []
  const different: Difference[] = []
  const missing: string[] = []
  for (const test of tests) {
    const file = `${test}.out`
    if ([direct, other].some(folder => !existsSync(join(folder, file)))) {
      missing.push(test)
      continue
    }
    const found = await hunksOf(join(direct, file), join(other, file), 0)
    if (found.length === 0) {
      equal.push(test)
      continue
    }
    const natural = again === null ? [] : await hunksOf(join(direct, file), join(again, file), 0)
    const places = new Set(natural.map(placeOf))
    if (found.every(hunk => places.has(placeOf(hunk)))) unstable.push(test)
    else different.push({ test, hunks: await hunksOf(join(direct, file), join(other, file), 3) })
  }
  return { equal, unstable, different, missing }
}

/** The direct run's lines that a hunk without context is about. */
const placeOf = (hunk: string): string => /^@@ (-\S+)/.exec(hunk)?.[1] ?? hunk

async function hunksOf(one: string, other: string, context: number): Promise<readonly string[]> {
  const text = await diff(['-a', `-U${context}`, one, other])
  return text
    .split(/^(?=@@ )/m)
    .slice(1)
    .map(hunk => hunk.trimEnd())
}

function diff(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('diff', args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, LC_ALL: 'C' } })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0 || code === 1) resolve(text)
      else reject(new Error(`diff ${args.join(' ')} ended with ${code}`))
    })
  })
}
