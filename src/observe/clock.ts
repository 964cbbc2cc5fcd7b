/**
 * Monotonic microseconds: CLOCK_MONOTONIC, one clock for all processes of a machine. `performance.now()` counts on the same
 * clock from the process's start and costs no allocation; it is read several times per statement.
 */
const ORIGIN_US = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000

export function nowUs(): number {
  return ORIGIN_US + performance.now() * 1000
}
