/** Starts what is measured: one Postgres with all rows, PgBouncer before it, and Shardway over two shards. */
import { Client } from 'pg'
import { type Cluster, startCluster } from '../src/cluster/cluster.ts'
import type { PgServer } from '../src/cluster/server.ts'
import { type ShardwayProcess, startShardway } from '../src/cluster/shardway.ts'
import { divideSlots } from '../src/topology/slot-map.ts'
import { SLOT_COUNT } from '../src/topology/topology.ts'
import type { Contender } from './measure.ts'
import type { ContenderName } from './options.ts'
import { startPgBouncer } from './pgbouncer.ts'
import { ROWS, SCHEMA } from './workloads.ts'

/** The default of both proxies. */
const POOL_SIZE = 20

/** The servers are the same in all contenders: nothing that Postgres does by itself shall fall into one run only. */
const SETTINGS = {
  shared_buffers: '256MB',
  autovacuum: 'off',
  checkpoint_timeout: '1h',
  max_wal_size: '8GB',
} as const

/** Logging in is not what is measured, and pgbench's clock runs while its clients do: no passwords, with any contender. */
const HBA = ['host all app 127.0.0.1/32 trust'] as const

/** Postgres's hash partition of an integer key, modulus 16384. */
const SLOT_OF_KEY = '((hashint8extended(aid::bigint, 8816678312871386365) & 16383) + 10467) & 16383'

export interface Arena {
  readonly contenders: readonly Contender[]
  readonly postgres: string
  /** Empties what the runs have filled, so that every case begins alike. */
  tidy(): Promise<void>
  stop(): Promise<void>
}

export interface ArenaOptions {
  readonly names: readonly ContenderName[]
  readonly workers: number
  /** Path of PgBouncer; needed when it is among the names. */
  readonly pgbouncer: string | null
}

export async function startArena(options: ArenaOptions): Promise<Arena> {
  const { names } = options
  const cluster = await startCluster({ shards: 2, replicas: 0, settings: SETTINGS, hba: HBA })
  let shardway: ShardwayProcess | null = null
  const stop = async (): Promise<void> => {
    await shardway?.close()
    await cluster.stop()
  }
  try {
    const contenders: Contender[] = []
    const servers: PgServer[] = []
    if (names.includes('direct') || names.includes('pgbouncer')) {
      const server = await cluster.oracle()
      await load(server, 0, SLOT_COUNT)
      servers.push(server)
      contenders.push(...(await beforeOneServer(cluster, server, options)))
    }
    if (names.includes('shardway')) {
      const shards = cluster.shards.map(shard => shard.primary.server)
      const runs = divideSlots(shards.length)
      await Promise.all(shards.map((server, i) => load(server, runs[i]?.[0] ?? 0, runs[i + 1]?.[0] ?? SLOT_COUNT)))
      servers.push(...shards)
      const tables = ['accounts', 'history'].map(name => ({ name, key: 'aid' }))
      const sections = { pool: { default_pool_size: POOL_SIZE }, auth: { method: 'trust' } }
      shardway = await startShardway({ cluster, tables, workers: options.workers, sections })
      const pids = [shardway.pid, ...shards.map(server => server.pid)]
      contenders.push({ name: 'shardway', target: target(cluster, shardway.port), pids })
    }
    for (const contender of contenders) await expectAllRows(contender)
    const tidy = async (): Promise<void> => {
      await Promise.all(servers.map(server => server.query('TRUNCATE history')))
      await Promise.all(servers.map(server => server.query('VACUUM (FREEZE, ANALYZE) accounts')))
      await Promise.all(servers.map(server => server.query('CHECKPOINT')))
    }
    return { contenders, postgres: cluster.binaries.version, tidy, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function beforeOneServer(cluster: Cluster, server: PgServer, options: ArenaOptions): Promise<Contender[]> {
  const contenders: Contender[] = []
  if (options.names.includes('direct')) {
    contenders.push({ name: 'direct', target: target(cluster, server.port), pids: [server.pid] })
  }
  if (options.names.includes('pgbouncer') && options.pgbouncer !== null) {
    const { database, user, password } = cluster
    const { port, pid } = await startPgBouncer({
      binary: options.pgbouncer,
      serverHost: server.host,
      serverPort: server.port,
      database,
      user,
      password,
      poolSize: POOL_SIZE,
    })
    contenders.push({ name: 'pgbouncer', target: target(cluster, port), pids: [pid, server.pid] })
  }
  return contenders
}

function target(cluster: Cluster, port: number): Contender['target'] {
  return { host: '127.0.0.1', port, database: cluster.database, user: cluster.user, password: cluster.password }
}

/** Rows of the slots from `first` up to, not including, `end`. */
async function load(server: PgServer, first: number, end: number): Promise<void> {
  const client = await server.connect({ user: 'app' })
  try {
    await client.query(SCHEMA)
    await client.query(
      `INSERT INTO accounts (aid, bid, abalance, filler)
       SELECT aid, 1, 0, '' FROM generate_series(1, ${ROWS}) AS aid WHERE (${SLOT_OF_KEY}) BETWEEN ${first} AND ${end - 1}`,
    )
  } finally {
    await client.end()
  }
}

/** A contender that answered with fewer rows would be fast for nothing. */
async function expectAllRows(contender: Contender): Promise<void> {
  const client = new Client(contender.target)
  await client.connect()
  try {
    for (let aid = 1; aid <= ROWS; aid += Math.floor(ROWS / 200)) {
      const { rows } = await client.query(`SELECT abalance FROM accounts WHERE aid = ${aid}`)
      if (rows.length !== 1) throw new Error(`${contender.name} found ${rows.length} rows with key ${aid}`)
    }
  } finally {
    await client.end()
  }
}
