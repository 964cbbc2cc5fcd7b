/**
 * Monotonic microseconds: CLOCK_MONOTONIC, one clock for all processes of a machine. `performance.now()` counts on the same
 * clock from the process's start and costs no allocation; it is read several times per statement.
 */
const ORIGIN_US = originUs()

/**
 * Marks of one process are compared with watermarks of another: an origin that is off by a millisecond makes a stale replica
 * look fresh. The first use of `performance` loads it, and the process may be suspended between any two calls: so the
 * narrowest of several tries counts.
 */
function originUs(): number {
  performance.now()
  let origin = 0
  let narrowest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 64; i++) {
    const before = process.hrtime.bigint()
    const elapsedMs = performance.now()
    const gap = Number(process.hrtime.bigint() - before)
    if (gap >= narrowest) continue
    narrowest = gap
    origin = Number(before) / 1000 - elapsedMs * 1000
  }
  return origin
}

export function nowUs(): number {
  return ORIGIN_US + performance.now() * 1000
}
