/** Postgres shards, an oracle beside them, and Shardway in front: what the whole-system suites stand on. */
import { type Cluster, type ClusterOptions, startCluster } from '../../src/cluster/cluster.ts'
import type { PgServer } from '../../src/cluster/server.ts'
import {
  type ShardwayOptions,
  type ShardwayProcess,
  startShardway,
  type TableDeclaration,
} from '../../src/cluster/shardway.ts'
import { SAMPLE_SCHEMA, SAMPLE_TABLES } from './sample-schema.ts'
import { Wire, type WireOptions } from './wire.ts'

export interface SystemOptions
  extends Pick<ClusterOptions, 'shards' | 'replicas' | 'links' | 'settings' | 'maxConnections'>,
    Pick<ShardwayOptions, 'sections' | 'users' | 'database' | 'env' | 'nodeArguments' | 'passThrough'> {
  readonly workers: number
  /** Default: the sample schema's. */
  readonly tables?: readonly TableDeclaration[]
  /** Run on every shard and on the oracle as `app`; default: the sample schema. */
  readonly schema?: string
  /** Default true. */
  readonly oracle?: boolean
}

export const SAMPLE_DECLARATIONS: readonly TableDeclaration[] = SAMPLE_TABLES.map(({ name, key }) =>
  key === null ? { name, reference: true } : { name, key },
)

const APP_LOGIN = { user: 'app', password: 'app' }

export class System {
  readonly cluster: Cluster
  readonly shardway: ShardwayProcess
  readonly oracleServer: PgServer | null
  readonly #wires = new Set<Wire>()

  constructor(cluster: Cluster, shardway: ShardwayProcess, oracleServer: PgServer | null) {
    this.cluster = cluster
    this.shardway = shardway
    this.oracleServer = oracleServer
  }

  /** Where Shardway listens, as user `app` of database `app` unless told otherwise. */
  target(options: Partial<WireOptions> = {}): WireOptions {
    return { host: this.shardway.host, port: this.shardway.port, database: 'app', ...APP_LOGIN, ...options }
  }

  /** A client of Shardway; closed with the system. */
  async connect(options: Partial<WireOptions> = {}): Promise<Wire> {
    return this.#keep(await Wire.connect(this.target(options)))
  }

  /** A client of Shardway that has said nothing yet. */
  async open(): Promise<Wire> {
    return this.#keep(await Wire.open(this.target()))
  }

  async connectOracle(options: Partial<WireOptions> = {}): Promise<Wire> {
    const server = this.oracleServer
    if (server === null) throw new Error('the system was started without an oracle')
    const wire = await Wire.connect({ host: server.host, port: server.port, database: 'app', ...APP_LOGIN, ...options })
    return this.#keep(wire)
  }

  /** A client of the admin console. */
  async console(): Promise<Wire> {
    return await this.connect({ database: 'shardway' })
  }

  /** Names of the types that users made; by OID. Shardway shows the default shard's OIDs. */
  async typeNames(of: 'proxy' | 'oracle'): Promise<(oid: number) => string> {
    const server = of === 'proxy' ? this.cluster.shards[0]?.primary.server : this.oracleServer
    const result = await server?.query('SELECT oid::int, typname FROM pg_type WHERE oid >= 16384')
    const names = new Map(result?.rows.map((row: { oid: number; typname: string }) => [row.oid, row.typname]))
    return oid => names.get(oid) ?? `unknown type ${oid}`
  }

  /** A connection was accepted, a statement answered: Shardway lives and serves. */
  async isServing(): Promise<void> {
    const wire = await this.connect()
    await wire.run('SELECT name FROM countries')
    await wire.end()
  }

  /** Closes every client that a test left open, as a failing one does. */
  dropClients(): void {
    for (const wire of this.#wires) wire.destroy()
  }

  async stop(): Promise<void> {
    this.dropClients()
    try {
      await this.shardway.close()
    } finally {
      await this.cluster.stop()
    }
  }

  #keep(wire: Wire): Wire {
    this.#wires.add(wire)
    wire.socket.once('close', () => this.#wires.delete(wire))
    return wire
  }
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const { workers, schema = SAMPLE_SCHEMA, tables = SAMPLE_DECLARATIONS, oracle = true, ...rest } = options
  const cluster = await startCluster(rest)
  try {
    await loadSchema(cluster, schema)
    const oracleServer = oracle ? await cluster.oracle() : null
    await oracleServer?.query(schema, [], APP_LOGIN)
    const shardway = await startShardway({ cluster, workers, tables, ...rest })
    return new System(cluster, shardway, oracleServer)
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** The same tables on every shard, with different OIDs; what is not declared only on the first. */
async function loadSchema(cluster: Cluster, schema: string): Promise<void> {
  await Promise.all(
    cluster.shards.map(async (shard, index) => {
      const { server } = shard.primary
      if (index > 0)
        await server.query("CREATE TYPE shift AS ENUM ('oids'); CREATE TABLE shift2 (a shift)", [], APP_LOGIN)
      await server.query(schema, [], APP_LOGIN)
      if (index > 0) await server.query('DROP TABLE IF EXISTS notes, shift2; DROP TYPE shift', [], APP_LOGIN)
    }),
  )
  await cluster.caughtUp()
}
