/** Pure arithmetic over what was measured. */

/** Nearest rank; `sorted` ascending. NaN when empty. */
export function percentile(sorted: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

export interface Interval {
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** Two-sided 97.5 % points of Student's t for 1 … 30 degrees of freedom; beyond that the normal's is close enough. */
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
] as const

/**
 * The 95 % interval of the ratio over paired rounds: Student's t on the logarithms, so that 2 : 1 and 1 : 2 weigh the
 * same. The mean is the geometric one. Fewer than two pairs give an interval without bounds.
 */
export function ratioInterval(pairs: ReadonlyArray<readonly [measured: number, base: number]>): Interval {
  const logs = pairs.map(([measured, base]) => Math.log(measured / base))
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length
  if (logs.length < 2) return { mean: Math.exp(mean), low: 0, high: Number.POSITIVE_INFINITY }
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1)
  const reach = (T_975[logs.length - 2] ?? 1.96) * Math.sqrt(variance / logs.length)
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) }
}
