/** Why the program cannot start or go on, for whoever started it. */
import { ShardwayError } from '../errors/shardway-error.ts'

export function sayProblem(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  const hint = error instanceof ShardwayError && error.hint !== undefined ? `\nhint: ${error.hint}` : ''
  process.stderr.write(`shardway: ${text}${hint}\n`)
}
