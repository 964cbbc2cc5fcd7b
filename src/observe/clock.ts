/** Monotonic microseconds: CLOCK_MONOTONIC, one clock for all processes of a machine. No BigInt: it is read per statement. */
export function nowUs(): number {
  const time = process.hrtime()
  return time[0] * 1_000_000 + time[1] / 1000
}
