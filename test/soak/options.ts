import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export interface SoakOptions {
  readonly seconds: number
  readonly seed: number
  readonly clients: number
  readonly workers: number
}

export const USAGE = `npm run soak -- [options]

  --ci            40 seconds
  --minutes N     length (5)
  --seed N        of an earlier run: the same choices, though not the same timing
  --clients N     applications at work (12)
  --workers N     Shardway's data processes (2)
`

const CI_SECONDS = 40

export function readOptions(args: readonly string[]): SoakOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ci: { type: 'boolean' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      clients: { type: 'string' },
      workers: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return 'help'
  const minutes = positive('minutes', values.minutes, 5)
  return {
    seconds: values.ci === true ? CI_SECONDS : Math.ceil(minutes * 60),
    seed: Math.floor(positive('seed', values.seed, randomInt(1, 4294967296))),
    clients: Math.ceil(positive('clients', values.clients, 12)),
    workers: Math.ceil(positive('workers', values.workers, 2)),
  }
}

function positive(name: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name}: a number above 0, not '${text}'`)
  return value
}
