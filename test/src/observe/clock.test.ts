import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { nowUs } from '../../../src/observe/clock.ts'

/** Of the arithmetic and of the narrowest try; nothing to do with how fast the machine is. */
const TOLERANCE_US = 20

it('is CLOCK_MONOTONIC, in every process', () => {
  for (let i = 0; i < 1000; i++) {
    const before = Number(process.hrtime.bigint()) / 1000
    const now = nowUs()
    const after = Number(process.hrtime.bigint()) / 1000
    expect(now).toBeGreaterThan(before - TOLERANCE_US)
    expect(now).toBeLessThan(after + TOLERANCE_US)
  }
  const before = nowUs()
  const other = Number(
    execFileSync(process.execPath, ['-p', 'process.hrtime.bigint() / 1000n'], { encoding: 'utf8' }).replace('n', ''),
  )
  expect(other).toBeGreaterThan(before - TOLERANCE_US)
  expect(other).toBeLessThan(nowUs() + TOLERANCE_US)
})
