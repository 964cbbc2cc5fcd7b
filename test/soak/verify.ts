/** Reads the shards themselves, past the proxy, and compares them with what the clients know. */
import type { Cluster } from '../../src/cluster/cluster.ts'
import type { ClusterShard } from '../../src/cluster/shard.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import { divideSlots } from '../../src/topology/slot-map.ts'
import { SLOT_COUNT } from '../../src/topology/topology.ts'
import { contradictions, type FoundAccount, type FoundEntry, type Ledger } from './ledger.ts'

export interface Check {
  readonly name: string
  /** Empty when it holds. */
  readonly problems: readonly string[]
}

/** Postgres's hash partition of an integer key, modulus 16384: stock SQL, nothing of Shardway's. */
export const SLOT_OF_KEY = '((hashint8extended(key::bigint, 8816678312871386365) & 16383) + 10467) & 16383'

export async function verifyShards(cluster: Cluster, ledger: Ledger): Promise<readonly Check[]> {
  const idle = await noTransactionLeft(cluster)
  const entries: FoundEntry[] = []
  const accounts: FoundAccount[] = []
  const misplaced: string[] = []
  const runs = divideSlots(cluster.shards.length)
  for (const [i, shard] of cluster.shards.entries()) {
    const { server } = shard.primary
    const found = await server.query('SELECT op::int, key FROM soak_entries')
    entries.push(...(found.rows as { op: number; key: number }[]).map(row => ({ ...row, shard: shard.name })))
    const held = await server.query('SELECT key, value FROM soak_accounts')
    accounts.push(...(held.rows as { key: number; value: number }[]).map(row => ({ ...row, shard: shard.name })))
    const first = runs[i]?.[0] ?? 0
    const end = runs[i + 1]?.[0] ?? SLOT_COUNT
    for (const table of ['soak_entries', 'soak_accounts']) {
      const wrong = await server.query(
        `SELECT key, ${SLOT_OF_KEY} AS slot FROM ${table} WHERE (${SLOT_OF_KEY}) NOT BETWEEN ${first} AND ${end - 1}`,
      )
      const rows = wrong.rows as { key: number; slot: number }[]
      misplaced.push(...rows.map(row => `${table} key ${row.key} (slot ${row.slot}) is on ${shard.name}`))
    }
  }
  return [
    ...contradictions(ledger, entries, accounts),
    { name: 'no row is on a wrong shard', problems: misplaced },
    { name: 'no server connection is left in a transaction', problems: idle },
  ]
}

/** A worker that has just died leaves its servers to notice; what is still open after that was forgotten. */
async function noTransactionLeft(cluster: Cluster): Promise<readonly string[]> {
  const open = async (): Promise<string[]> => (await Promise.all(cluster.shards.map(openTransactions))).flat()
  await waitFor('every server connection to leave its transaction', async () => (await open()).length === 0, {
    timeoutMs: 10_000,
  }).catch(() => {})
  return open()
}

async function openTransactions(shard: ClusterShard): Promise<string[]> {
  const problems: string[] = []
  for (const node of shard.nodes) {
    const { rows } = await node.server.query(
      `SELECT pid, state, query FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename = 'app' AND state <> 'idle'`,
    )
    for (const row of rows as { pid: number; state: string; query: string }[]) {
      problems.push(`${node.name} pid ${row.pid}: ${row.state}: ${row.query.slice(0, 60)}`)
    }
  }
  const { rows } = await shard.primary.server.query('SELECT gid FROM pg_prepared_xacts')
  return [...problems, ...(rows as { gid: string }[]).map(row => `${shard.name}: prepared transaction ${row.gid}`)]
}
