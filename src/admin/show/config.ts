/** SHOW CONFIG: PgBouncer's names for what it has too, then every setting of shardway.toml as `section.name`. */
import { z } from 'zod'
import {
  DURATION_PATTERN,
  formatDurationMs,
  formatSizeBytes,
  parseDurationMs,
  parseSizeBytes,
  SIZE_PATTERN,
} from '../../config/durations.ts'
import { type Config, configSchema } from '../../config/schema.ts'
import { redactConfig } from '../../config/secrets.ts'
import type { ConsoleResult } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { listing, text, yesNo } from '../result.ts'

/** Read once at the start; a change takes effect at the next one. */
const FIXED_SECTIONS: ReadonlySet<string> = new Set(['listen', 'http', 'state'])

interface ConfigRow {
  readonly key: string
  readonly value: string
  readonly default: string
  readonly changeable: boolean
}

interface JsonSchema {
  readonly type?: string
  readonly pattern?: string
  readonly default?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
}

let published: JsonSchema | null = null

/** The schema of the file as people write it, made once. */
export function fileSchema(): JsonSchema {
  published ??= z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema
  return published
}

export function showConfig(context: AdminContext): ConsoleResult {
  const config = redactConfig(context.config)
  const rows = [...pgbouncerRows(config, context.configPath), ...sectionRows(config)]
  return listing<ConfigRow>(
    'SHOW',
    [
      text('key', row => row.key),
      text('value', row => row.value),
      text('default', row => row.default),
      text('changeable', row => yesNo(row.changeable)),
    ],
    rows.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
  )
}

function row(key: string, value: string | number, preset: string, changeable = true): ConfigRow {
  return { key, value: String(value), default: preset, changeable }
}

const LIMITS = [
  'min_pool_size',
  'reserve_pool_size',
  'max_db_connections',
  'max_user_connections',
  'max_db_client_connections',
  'max_user_client_connections',
] as const

/** Its names for times, with its own defaults where ours differ in nothing but the unit. */
const TIMES = [
  ['reserve_pool_timeout', '5'],
  ['query_wait_timeout', '120'],
  ['query_wait_notify', '5'],
  ['query_timeout', '0'],
  ['transaction_timeout', '0'],
  ['idle_transaction_timeout', '0'],
  ['client_idle_timeout', '0'],
  ['server_lifetime', '3600'],
  ['server_idle_timeout', '600'],
  ['server_connect_timeout', '15'],
  ['server_login_retry', '1'],
  ['server_check_delay', '30'],
] as const

/** What exporters and dashboards made for PgBouncer look for, in its units: seconds. */
function pgbouncerRows(config: Config, configPath: string): ConfigRow[] {
  return [
    row('admin_users', users(config, 'admin'), ''),
    row('auth_type', config.auth.method, 'scram-sha-256'),
    row('conffile', configPath, '', false),
    row('default_pool_size', config.pool.default_pool_size, '20'),
    row('listen_addr', config.listen.host, '127.0.0.1', false),
    row('listen_port', config.listen.port, '6432', false),
    row('max_client_conn', config.pool.max_client_conn, '10000'),
    row('pool_mode', config.pool.mode, 'transaction'),
    row('server_check_query', config.pool.server_check_query, '<empty>'),
    row('stats_period', 60, '60', false),
    row('stats_users', users(config, 'stats'), ''),
    ...LIMITS.map(name => row(name, config.pool[name], '0')),
    ...TIMES.map(([name, preset]) => row(name, config.pool[name] / 1000, preset)),
  ]
}

function users(config: Config, right: 'admin' | 'stats'): string {
  return config.users
    .filter(user => user[right])
    .map(user => user.name)
    .join(',')
}

/** The sections of settings; [[users]] and [[databases]] have their own SHOW. */
function sectionRows(config: Config): ConfigRow[] {
  const rows: ConfigRow[] = []
  for (const [section, schema] of Object.entries(fileSchema().properties ?? {})) {
    if (schema.properties === undefined) continue
    collect(section, schema, (config as Record<string, unknown>)[section], !FIXED_SECTIONS.has(section), rows)
  }
  return rows
}

function collect(path: string, schema: JsonSchema, value: unknown, changeable: boolean, rows: ConfigRow[]): void {
  if (schema.properties !== undefined) {
    for (const [name, inner] of Object.entries(schema.properties)) {
      const at = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
      collect(`${path}.${name}`, inner, at, changeable, rows)
    }
    return
  }
  rows.push({ key: path, value: valueText(value, schema), default: valueText(schema.default, schema), changeable })
}

function plainText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function valueText(value: unknown, schema: JsonSchema): string {
  // Values are read, defaults stand as the schema has them: "60s" and 60 000 must not look like two things.
  if (schema.pattern === DURATION_PATTERN.source) {
    const ms = typeof value === 'string' ? parseDurationMs(value) : value
    if (typeof ms === 'number') return formatDurationMs(ms)
  }
  if (schema.pattern === SIZE_PATTERN.source) {
    const bytes = typeof value === 'string' ? parseSizeBytes(value) : value
    if (typeof bytes === 'number') return formatSizeBytes(bytes)
  }
  if (Array.isArray(value)) return value.join(', ')
  return plainText(value)
}
