/**
 * shardway.toml: the one source of types, defaults, the published JSON Schema and docs/reference/configuration.md.
 * Names are those of the file; durations become milliseconds and sizes bytes. Plain JSON, since workers get it over IPC.
 */
import { z } from 'zod'
import {
  count,
  durationMs,
  fileName,
  flag,
  hostPort,
  identifier,
  listenPort,
  sizeBytes,
  tableName,
  timerMs,
} from './fields.ts'
import { databasePool, poolSection, statementLimits, userPool } from './pool-schema.ts'

const TLS_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
const PASSWORDS = 'a password, a "SCRAM-SHA-256$…" verifier, an "md5…" hash, or a list of them'

const listen = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address to accept clients on'),
  port: listenPort.default(6432).describe('Port to accept clients on; 0 takes any free one'),
  reuse_port: z
    .boolean()
    .default(false)
    .describe(
      'A new process with the same state file takes over from the one that runs (SO_REUSEPORT; Node 22.12 or newer)',
    ),
  workers: count(1, 64)
    .optional()
    .describe('Data processes; absent: one per core. Limits are per proxy, divided over them'),
  tls: z
    .strictObject({
      mode: z
        .enum(TLS_MODES)
        .default('prefer')
        .describe(
          "Without a certificate an SSLRequest is answered N. verify-ca: clients need a certificate signed by ca; verify-full: whose common name is the user's name too",
        ),
      cert: fileName.optional().describe('Certificate chain, PEM; a file name relative to this file'),
      key: fileName.optional().describe('Private key, PEM; a file name relative to this file'),
      ca: fileName.optional().describe("What clients' certificates are verified against, PEM"),
    })
    .prefault({})
    .describe('TLS towards clients'),
})

const http = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address of /metrics, /healthz, /readyz and the dashboard'),
  port: listenPort.default(9632).describe('Its port; 0 takes any free one'),
})

const state = z.strictObject({
  store: z
    .enum(['file', 'etcd'])
    .default('file')
    .describe('What must survive a restart: file (one proxy), etcd (many)'),
  path: fileName.default('shardway.state').describe('The file of store = "file"'),
  endpoints: z.array(z.url('a URL')).optional().describe('The members of store = "etcd"'),
  advertise: hostPort.optional().describe('Where the other proxies of the fleet reach this one'),
  secret_file: fileName.optional().describe("The fleet's shared secret: a file of 16 bytes or more"),
})

const auth = z.strictObject({
  method: z
    .enum(['scram-sha-256', 'md5', 'plain', 'cert', 'trust', 'hba'])
    .default('scram-sha-256')
    .describe('How clients prove who they are'),
  hba_file: fileName.optional().describe('Rules of method = "hba", in the form of pg_hba.conf'),
  query: z
    .string()
    .default('')
    .describe(
      'Query that finds the verifier of users not listed here, with the name as $1, run as control_user; "default": the one for pg_authid; empty: only listed users may enter',
    ),
})

const server = z.strictObject({
  tls: z
    .strictObject({
      mode: z.enum(TLS_MODES).optional().describe('Absent: prefer, or verify-full as soon as a ca is given'),
      ca: fileName.optional().describe("What servers' certificates are verified against, PEM"),
    })
    .prefault({})
    .transform(tls => ({ ...tls, mode: tls.mode ?? (tls.ca === undefined ? 'prefer' : 'verify-full') }))
    .describe('TLS towards the servers'),
})

const read = z.strictObject({
  consistency: z
    .enum(['strong', 'fresh', 'session', 'eventual'])
    .default('fresh')
    .describe('Which replicas may answer'),
  max_replica_lag: durationMs.prefault('10s').describe('Replicas further behind get no reads'),
  fleet: flag
    .default(false)
    .describe('fresh is exact over all proxies, at the price of a wait before a write is answered'),
  strategy: z
    .enum(['random', 'round-robin', 'least-outstanding', 'weighted'])
    .default('least-outstanding')
    .describe('Which of several replicas; one of the same zone first'),
})

const scatter = z.strictObject({
  memory: sizeBytes.prefault('64MiB').describe("A merge's bound"),
  gather_limit: sizeBytes.prefault('256MiB').describe('What a gathered statement may read from the shards'),
  max_routed_statement: sizeBytes
    .prefault('16MiB')
    .describe('Larger statements stream when the shard is known, else 54000'),
})

const cache = z.strictObject({
  redis: z.string().min(1).optional().describe('URL of a Redis; absent: in-process only'),
  max_memory: sizeBytes.prefault('64MiB').describe('Of the in-process cache, per worker'),
  capture: flag.default(false).describe('Writes past Shardway invalidate too, by logical replication'),
})

const failover = z.strictObject({
  mode: z.enum(['managed', 'patroni', 'off']).default('managed').describe('Who promotes a replica'),
  probe: timerMs
    .refine(ms => ms >= 50, 'a duration of at least 50ms')
    .prefault('1s')
    .describe('Time between two looks at each node'),
  cooldown: durationMs.prefault('60s').describe('Least time between two failovers of a shard'),
  max_lag: sizeBytes.prefault('16MiB').describe('A replica further behind is not promoted'),
  fence_command: z.string().default('').describe("Run against the old primary's host"),
  rejoin_command: z.string().default('').describe('Absent: pg_rewind or a new copy, where the binaries are there'),
})

const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('Least severity'),
  slow_query: durationMs.prefault('1s').describe('Statements that took longer are logged, without literals; 0: none'),
})

const user = z.strictObject({
  name: identifier.describe('User name, as clients send it'),
  password: z
    .union([z.string(), z.array(z.string())], PASSWORDS)
    .optional()
    .transform(value => (value === undefined ? [] : typeof value === 'string' ? [value] : value))
    .describe('A password, a SCRAM-SHA-256$… verifier, an md5… hash, or a list of them'),
  password_env: z.string().min(1).optional().describe('Name of the environment variable that holds the password'),
  password_file: fileName.optional().describe('File that holds the password; one newline at its end is dropped'),
  admin: flag.default(false).describe('May do everything in the admin console'),
  stats: flag.default(false).describe('May SHOW in the admin console, may not command'),
  databases: z.array(identifier).optional().describe('Databases the user may enter; absent: all'),
  ...statementLimits,
  pool: userPool.optional().describe("What differs from [pool] for this user's connections"),
})

const shard = z.strictObject({
  name: identifier.describe('Name of the shard'),
  nodes: z
    .array(hostPort, 'a list of HOST:PORT')
    .min(1, 'one HOST:PORT or more')
    .describe('Its servers; roles are discovered'),
  replication_addresses: z
    .array(hostPort, 'a list of HOST:PORT')
    .optional()
    .describe('Where shards reach each other, if it differs; as many as nodes, in their order'),
  dbname: identifier.optional().describe('Database on those servers; absent: the name of the database'),
})

const table = z.strictObject({
  name: tableName.describe('Table; its schema is public unless qualified'),
  key: identifier.optional().describe('The shard key: one column'),
  reference: flag.default(false).describe('A full copy on every shard'),
  cache: z
    .strictObject({ ttl: durationMs.describe('How long an answer may be kept') })
    .optional()
    .describe('Caches reads of the table'),
})

const routine = z.strictObject({
  name: tableName.describe('Function; its schema is public unless qualified'),
  local: flag.default(false).describe("May run on one shard: it touches only rows of the statement's key"),
})

const database = z
  .strictObject({
    name: identifier.describe('Name that clients connect to'),
    default_shard: identifier
      .optional()
      .describe('Where tables not listed live; may be absent where there is one shard'),
    server_user: identifier
      .optional()
      .describe("User on the servers; absent: the client's own name, by its password or SCRAM pass-through"),
    server_password: z.string().optional().describe("server_user's password"),
    server_password_env: z.string().min(1).optional().describe('Name of the environment variable that holds it'),
    server_password_file: fileName.optional().describe('File that holds it'),
    control_user: identifier.default('postgres').describe('For health, promotion, replication and recovery'),
    control_password: z.string().default('').describe("control_user's password"),
    control_password_env: z.string().min(1).optional().describe('Name of the environment variable that holds it'),
    control_password_file: fileName.optional().describe('File that holds it'),
    ...statementLimits,
    pool: databasePool.optional().describe('What differs from [pool] for this database; a user overrides it'),
    shards: z.array(shard, 'one [[databases.shards]] or more').min(1, 'one [[databases.shards]] or more'),
    tables: z.array(table).default([]),
    functions: z.array(routine).default([]),
  })
  .transform(value => ({
    ...value,
    default_shard: value.default_shard ?? value.shards[0]?.name ?? '',
    shards: value.shards.map(one => ({ ...one, dbname: one.dbname ?? value.name })),
  }))

export const configSchema = z.strictObject({
  listen: listen.prefault({}),
  http: http.prefault({}),
  state: state.prefault({}),
  auth: auth.prefault({}),
  server: server.prefault({}),
  pool: poolSection.prefault({}),
  read: read.prefault({}),
  scatter: scatter.prefault({}),
  cache: cache.prefault({}),
  failover: failover.prefault({}),
  log: log.prefault({}),
  users: z.array(user).default([]),
  databases: z.array(database, 'one [[databases]] or more').min(1, 'one [[databases]] or more'),
})

export type Config = z.output<typeof configSchema>
export type UserConfig = Config['users'][number]
export type DatabaseConfig = Config['databases'][number]
export type ShardConfig = DatabaseConfig['shards'][number]
export type TableConfig = DatabaseConfig['tables'][number]
