/** Durations ("120s") and sizes ("64MiB") as people write them in shardway.toml, and back. */

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}

/** Only units of one meaning: "64MB" is refused, since Postgres reads it as 64 · 1024² and everyone else as 64 · 10⁶. */
export const DURATION_PATTERN = /^(?:0|\d+(?:\.\d+)?(?:ms|s|min|m|h|d))$/
export const SIZE_PATTERN = /^(?:0|\d+(?:\.\d+)?(?:B|KiB|MiB|GiB|TiB))$/

function scale(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text)
  if (match === null) return null
  const unit = match[2] ?? ''
  const factor = unit === '' && Number(match[1]) === 0 ? 1 : units[unit]
  if (factor === undefined) return null
  const value = Number(match[1]) * factor
  return Number.isSafeInteger(Math.round(value)) ? Math.round(value) : null
}

/** "120s" → 120000 milliseconds; null for anything that is not a duration. "0" needs no unit. */
export function parseDurationMs(text: string): number | null {
  return scale(text, MS_PER_UNIT)
}

/** "64MiB" → 67108864 bytes; null for anything that is not a size. */
export function parseSizeBytes(text: string): number | null {
  return scale(text, BYTES_PER_UNIT)
}

/** 120000 → "2m", 1500 → "1500ms": the largest unit that divides evenly. */
export function formatDurationMs(ms: number): string {
  if (ms === 0) return '0'
  for (const [unit, factor] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms % factor === 0) return `${ms / factor}${unit}`
  }
  return `${ms}ms`
}

/** 67108864 → "64MiB". */
export function formatSizeBytes(bytes: number): string {
  if (bytes === 0) return '0'
  for (const [unit, factor] of [
    ['TiB', 1024 ** 4],
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}
