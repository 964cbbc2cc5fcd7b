/** A fresh server with the database that pg_regress would make, and Shardway before it where the run wants one. */
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { type ShardwayProcess, startShardway } from '../../src/cluster/shardway.ts'
import type { RegressOptions, RunName } from './options.ts'

const DATABASE = 'regression'

export interface Target {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

export interface Arena {
  readonly cluster: Cluster
  /** Null in a direct run. */
  readonly shardway: ShardwayProcess | null
  readonly target: Target
  readonly stop: () => Promise<void>
}

export async function openArena(run: RunName, { workers }: RegressOptions): Promise<Arena> {
  const cluster = await startCluster({ shards: 1, replicas: 0 })
  try {
    await createDatabase(cluster)
    const shardway = run === 'direct' || run === 'again' ? null : await proxy(cluster, run, workers)
    const { host, port } = shardway ?? primaryOf(cluster).server
    return {
      cluster,
      shardway,
      target: { host, port, ...cluster.superuser, database: DATABASE },
      stop: async () => {
        await shardway?.close()
        await cluster.stop()
      },
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

const primaryOf = (cluster: Cluster) => cluster.shard('s0').primary

/** Word for word what create_database() of pg_regress.c does with --no-locale. */
async function createDatabase(cluster: Cluster): Promise<void> {
  const { server } = primaryOf(cluster)
  await server.query(`CREATE DATABASE "${DATABASE}" TEMPLATE=template0 LC_COLLATE='C' LC_CTYPE='C'`)
  const settings = {
    lc_messages: 'C',
    lc_monetary: 'C',
    lc_numeric: 'C',
    lc_time: 'C',
    bytea_output: 'hex',
    timezone_abbreviations: 'Default',
  }
  for (const [name, value] of Object.entries(settings)) {
    await server.query(`ALTER DATABASE "${DATABASE}" SET ${name} TO '${value}'`)
  }
}

async function proxy(cluster: Cluster, mode: string, workers: number): Promise<ShardwayProcess> {
  const { user, password } = cluster.superuser
  return await startShardway({
    cluster,
    workers,
    users: [{ name: user, password, admin: true }],
    sections: { pool: { mode }, log: { level: 'warn' } },
    database: {
      name: DATABASE,
      server_user: user,
      server_password: password,
      shards: [{ name: 's0', nodes: [primaryOf(cluster).address], dbname: DATABASE }],
    },
  })
}
