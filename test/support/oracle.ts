/** One plain Postgres for tests that compare with the server itself. */
import { Client } from 'pg'
import { startCluster } from '../../src/cluster/cluster.ts'

export interface Oracle {
  /** Superuser in a database that the test may fill as it likes. */
  connect(database?: string): Promise<Client>
  close(): Promise<void>
}

/** `SHARDWAY_TEST_PG_URL` may name a server with superuser rights; else one is started. */
export async function openOracle(): Promise<Oracle> {
  const clients: Client[] = []
  const url = process.env['SHARDWAY_TEST_PG_URL']
  const cluster = url === undefined || url === '' ? await startCluster({ shards: 1, replicas: 0 }) : undefined
  const server = cluster?.shard('s0').primary.server
  return {
    async connect(database) {
      if (server !== undefined) {
        const client = await server.connect(database === undefined ? {} : { database })
        clients.push(client)
        return client
      }
      const target = new URL(url ?? '')
      if (database !== undefined) target.pathname = `/${database}`
      const client = new Client({ connectionString: target.href })
      await client.connect()
      clients.push(client)
      return client
    },
    async close() {
      await Promise.all(clients.map(client => client.end().catch(() => {})))
      await cluster?.stop()
    },
  }
}
