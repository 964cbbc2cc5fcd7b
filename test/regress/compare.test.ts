import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { compareRuns } from './compare.ts'
import { readSchedule } from './schedule.ts'

const folder = mkdtempSync(join(tmpdir(), 'shardway-regress-'))
afterAll(() => rmSync(folder, { recursive: true }))

function run(name: string, outputs: Readonly<Record<string, readonly string[]>>): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const [test, lines] of Object.entries(outputs)) writeFileSync(join(path, `${test}.out`), `${lines.join('\n')}\n`)
  return path
}

it('the schedule’s files are read in their order', () => {
  const text = '# test: not this\ntest: test_setup\n\nignore: random\ntest: int4  int8 random\n'
  expect(readSchedule(text)).toEqual(['test_setup', 'int4', 'int8', 'random'])
})

it('what two direct runs do not agree about is no difference, anything else is', async () => {
  const lines = ['SELECT now();', '12:00', 'SELECT 1;', '1', 'SELECT 2;', '2']
  const changed = (at: number, line: string): string[] => lines.with(at, line)
  const direct = run('direct', { same: lines, time: lines, wrong: lines, both: lines, gone: lines })
  const again = run('again', {
    same: lines,
    time: changed(1, '12:01'),
    wrong: lines,
    both: changed(1, '12:01'),
    gone: lines,
  })
  const other = run('other', {
    same: lines,
    time: changed(1, '12:02'),
    wrong: changed(3, '7'),
    both: changed(1, '12:02').with(5, '7'),
  })
  const tests = ['same', 'time', 'wrong', 'both', 'gone']
  const found = await compareRuns(tests, direct, other, again)
  expect(found).toMatchObject({ equal: ['same'], unstable: ['time'], missing: ['gone'] })
  expect(found.different.map(({ test }) => test)).toEqual(['wrong', 'both'])
  expect(found.different[0]?.hunks.join()).toContain('-1\n+7')
})
