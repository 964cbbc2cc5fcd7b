/** The session's own options: SET shardway.NAME, hints, and shardway.NAME at startup. */
const PREFIX = 'shardway.'

const DURATION = /^\d+(?:\.\d+)?\s*(?:us|ms|s|min|m|h|d)$/

/** What each may be; the text is the hint of a refusal. */
const ALLOWED: ReadonlyMap<string, { readonly test: (value: string) => boolean; readonly text: string }> = new Map([
  ['shard', { test: value => value !== '', text: 'the name of a shard' }],
  ['key', { test: value => value !== '', text: 'a value of the shard key' }],
  ['role', oneOf('primary', 'replica')],
  ['consistency', oneOf('strong', 'fresh', 'session', 'eventual')],
  ['cache', { test: value => value === 'off' || DURATION.test(value), text: 'off, or a duration such as 30s' }],
  ['stale', { test: value => DURATION.test(value), text: 'a duration such as 5s' }],
  ['cross_shard_isolation', oneOf('per_shard', 'off')],
])

function oneOf(...values: string[]): { test: (value: string) => boolean; text: string } {
  return { test: value => values.includes(value), text: values.join(', ') }
}

/** What is wrong with the option, or with its value (null: its reset). */
export function refusedOption(
  shards: readonly string[],
  name: string,
  value: string | null,
): { readonly message: string; readonly hint: string } | null {
  const allowed = ALLOWED.get(name)
  if (allowed === undefined) {
    return { message: `unrecognized setting "${PREFIX}${name}"`, hint: `Allowed: ${[...ALLOWED.keys()].join(', ')}.` }
  }
  if (value === null) return null
  if (!allowed.test(value)) {
    return { message: `invalid value for ${PREFIX}${name}: "${value}"`, hint: `Allowed: ${allowed.text}.` }
  }
  if (name !== 'shard' || shards.includes(value)) return null
  return { message: `shard "${value}" does not exist`, hint: `Shards: ${shards.join(', ')}.` }
}

/** The option that a setting's name stands for; null for a setting of Postgres's. */
export function shardwayName(setting: string): string | null {
  return setting.startsWith(PREFIX) ? setting.slice(PREFIX.length) : null
}
