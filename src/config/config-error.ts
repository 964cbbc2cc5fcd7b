import { ShardwayError } from '../errors/shardway-error.ts'

/** A configuration that cannot be served, with every mistake in it. Secrets never stand in a problem. */
export class ConfigError extends ShardwayError {
  readonly problems: readonly string[]

  constructor(path: string, problems: readonly string[], cause?: unknown) {
    const noun = problems.length === 1 ? 'mistake' : 'mistakes'
    super('config_invalid', 'F0000', `${path}: ${problems.length} ${noun}\n  ${problems.join('\n  ')}`, {
      hint: 'docs/reference/configuration.md lists every name; "shardway check -c FILE" tells when it is right.',
      cause,
    })
    this.name = 'ConfigError'
    this.problems = problems
  }
}
