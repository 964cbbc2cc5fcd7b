/** Which values of a configuration are secret, and a copy without them for SHOW, logs and pages. */
import type { Config } from './schema.ts'

export const REDACTED = '********'

/** The last name of the path of every secret. `redis` is a URL that may hold a password. */
const SECRET_NAMES: ReadonlySet<string> = new Set(['password', 'server_password', 'control_password', 'redis'])

export function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name)
}

/** `true` when a value at this path must never be shown. */
export function isSecretPath(path: ReadonlyArray<PropertyKey>): boolean {
  return path.some(part => typeof part === 'string' && SECRET_NAMES.has(part))
}

/** The same configuration with every secret replaced: safe to print. An empty or absent secret stays as it is. */
export function redactConfig(config: Config): Config {
  return redact(config, false) as Config
}

/** Every secret text in the configuration, for log redaction and for tests that nothing leaks. */
export function secretsOf(config: Config): readonly string[] {
  const found = new Set<string>()
  collect(config, false, found)
  return [...found]
}

function redact(value: unknown, secret: boolean): unknown {
  if (Array.isArray(value)) return value.map(one => redact(one, secret))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, redact(one, secret || SECRET_NAMES.has(name))]),
    )
  }
  return secret && typeof value === 'string' && value !== '' ? REDACTED : value
}

function collect(value: unknown, secret: boolean, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const one of value) collect(one, secret, found)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, one] of Object.entries(value)) collect(one, secret || SECRET_NAMES.has(name), found)
  } else if (secret && typeof value === 'string' && value !== '') {
    found.add(value)
  }
}
