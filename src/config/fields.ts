/** The kinds of value that shardway.toml is made of. An issue's message says what is allowed; load.ts adds what was found. */
import { z } from 'zod'
import { DURATION_PATTERN, parseDurationMs, parseSizeBytes, SIZE_PATTERN } from './durations.ts'
import { parseHostPort, parseQualifiedName } from './names.ts'

const WORDS = {
  duration: 'a duration such as "500ms", "10s", "5m", "1h"',
  size: 'a size such as "512KiB", "64MiB", "1GiB"',
  hostPort: 'HOST:PORT',
} as const

export const durationMs = z
  .string(WORDS.duration)
  .regex(DURATION_PATTERN, WORDS.duration)
  .transform(text => parseDurationMs(text) ?? 0)

export const sizeBytes = z
  .string(WORDS.size)
  .regex(SIZE_PATTERN, WORDS.size)
  .transform(text => parseSizeBytes(text) ?? 0)

/** Longer durations that a timer cannot hold would fire at once. */
export const timerMs = durationMs.refine(ms => ms <= 2_147_483_647, 'a duration of at most 24d')

export const hostPort = z.string(WORDS.hostPort).refine(text => parseHostPort(text) !== null, WORDS.hostPort)

export const port = z.int('a port, 1 to 65535').min(1, 'a port, 1 to 65535').max(65535, 'a port, 1 to 65535')

/** Port 0 is any free port: the one taken is said in the log. */
export const listenPort = z.int('a port, 0 to 65535').min(0, 'a port, 0 to 65535').max(65535, 'a port, 0 to 65535')

/** What Postgres itself takes as a name: 1 to 63 bytes, no NUL. */
export const identifier = z
  .string('a name')
  .refine(text => text.length > 0 && Buffer.byteLength(text) <= 63 && !text.includes('\0'), 'a name of 1 to 63 bytes')

export const tableName = z
  .string('a table name')
  .refine(text => parseQualifiedName(text) !== null, 'TABLE, SCHEMA.TABLE or "quoted"."names"')

export const fileName = z.string('a file name').min(1, 'a file name')

export function count(minimum: number, maximum = 1_000_000): z.ZodInt {
  const allowed = `a whole number, ${minimum} to ${maximum}`
  return z.int(allowed).min(minimum, allowed).max(maximum, allowed)
}

export const flag = z.boolean('true or false')
