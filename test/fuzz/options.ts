import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export type Target = 'client' | 'server'

export interface FuzzOptions {
  readonly target: Target
  readonly seconds: number
  readonly seed: number
  readonly workers: number
}

export const USAGE = `npm run fuzz -- --target client|server [options]

  --target T      client: bytes of clients are mutated on the way to Shardway; server: those of servers
  --minutes N     length (10)
  --seed N        of an earlier run: the same choices, though not the same timing
  --workers N     Shardway's data processes (2)
`

export function readOptions(args: readonly string[]): FuzzOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      workers: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const { target } = values
  if (target !== 'client' && target !== 'server') throw new Error('--target: client or server')
  return {
    target,
    seconds: Math.ceil(positive('minutes', values.minutes, 10) * 60),
    seed: Math.floor(positive('seed', values.seed, randomInt(1, 0x7ffffffe))),
    workers: Math.ceil(positive('workers', values.workers, 2)),
  }
}

function positive(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name}: a number above 0, not '${text}'`)
  return value
}
