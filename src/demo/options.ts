import { parseArgs } from 'node:util'

export interface StartOptions {
  /** Default 2, or what the kept data has. */
  readonly shards?: number
  /** Standbys of each shard; default 1, or what the kept data has. */
  readonly replicas?: number
  /** Default 6432, or what an edited shardway.toml of the kept data says; so is `http`, with 9632. */
  readonly port?: number
  readonly http?: number
  readonly sample: boolean
  /** Throws kept data away first. */
  readonly fresh: boolean
  /** Absent: `.shardway` in the checkout, or a folder that the servers' user can enter. */
  readonly data?: string
}

export const START_USAGE = `Usage: npm start -- [options]     or: npx shardway start [options]

  --shards N     how many shards (default 2)
  --replicas N   streaming replicas of each (default 1)
  --port PORT    where Postgres clients connect (default 6432)
  --http PORT    dashboard, metrics and health (default 9632)
  --no-sample    start without the sample tables
  --fresh        throw away the data of the last time
  --data DIR     keep the data there: a new or empty folder, or one that start has made

proxy/shardway.toml in the data folder is made anew at every start until you edit it; an edited file is kept.`

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export function parseStartOptions(args: readonly string[]): StartOptions | 'help' {
  const { values } = parse(args)
  if (values.help === true) return 'help'
  return {
    ...(values.shards === undefined ? {} : { shards: whole('--shards', values.shards, 1, 64) }),
    ...(values.replicas === undefined ? {} : { replicas: whole('--replicas', values.replicas, 0, 8) }),
    ...(values.port === undefined ? {} : { port: whole('--port', values.port, 1, 65_535) }),
    ...(values.http === undefined ? {} : { http: whole('--http', values.http, 1, 65_535) }),
    sample: values['no-sample'] !== true,
    fresh: values.fresh === true,
    ...(values.data === undefined ? {} : { data: values.data }),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        shards: { type: 'string' },
        replicas: { type: 'string' },
        port: { type: 'string' },
        http: { type: 'string' },
        'no-sample': { type: 'boolean' },
        fresh: { type: 'boolean' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${START_USAGE}`)
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new UsageError(`${name} is "${text}"; allowed: a whole number from ${least} to ${most}`)
}
