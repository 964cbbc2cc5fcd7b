/** What the shards' first node says about the connections that Shardway holds there for applications. */
import type { System } from './system.ts'

async function ask(system: System, sql: string): Promise<Array<Record<string, unknown>>> {
  const [node] = system.cluster.nodes
  if (node === undefined) throw new Error('the cluster has no nodes')
  return (await node.server.query(sql)).rows as Array<Record<string, unknown>>
}

export async function appPids(system: System, condition = 'true'): Promise<number[]> {
  const sql = `SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND (${condition}) ORDER BY pid`
  return (await ask(system, sql)).map(row => Number(row['pid']))
}

export async function appServers(system: System, condition = 'true'): Promise<number> {
  return (await appPids(system, condition)).length
}

/** One statement on that node as the application's user; the first value of its first row. */
export async function onNode(system: System, sql: string): Promise<unknown> {
  const [node] = system.cluster.nodes
  if (node === undefined) throw new Error('the cluster has no nodes')
  const { rows } = await node.server.query(sql, [], { user: 'app', password: 'app' })
  return Object.values((rows[0] ?? {}) as Record<string, unknown>)[0]
}
