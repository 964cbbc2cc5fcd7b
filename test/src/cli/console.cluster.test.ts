/** The CLI against a running proxy. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../../src/cluster/cluster.ts'
import { projectRoot } from '../../../src/cluster/project-root.ts'
import { type ShardwayProcess, startShardway } from '../../../src/cluster/shardway.ts'

const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')

let cluster: Cluster
let proxy: ShardwayProcess | undefined

beforeAll(async () => {
  cluster = await startCluster({ shards: 2, replicas: 1 })
  await cluster.everywhere('create table customers (id bigint primary key, name text)', { user: 'app' })
  proxy = await startShardway({
    cluster,
    workers: 2,
    tables: [{ name: 'customers', key: 'id' }],
    users: [
      { name: 'app', password: 'app', admin: true },
      { name: 'watch', password: 'watch', stats: true },
      { name: 'plain', password: 'plain' },
    ],
  })
})

afterAll(async () => {
  await proxy?.stop()
  await cluster.stop()
})

function shardway(args: readonly string[], user = 'app'): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    SHARDWAY_ADMIN: `postgres://127.0.0.1:${proxy?.port ?? 0}/shardway`,
    PGUSER: user,
    PGPASSWORD: user,
  }
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

async function rows(args: readonly string[]): Promise<Array<Record<string, unknown>>> {
  const ended = await shardway([...args, '--json'])
  expect(ended).toMatchObject({ code: 0 })
  return JSON.parse(ended.stdout) as Array<Record<string, unknown>>
}

describe('shardway', () => {
  it('status shows every node', async () => {
    const nodes = await rows(['status'])
    expect(nodes.map(node => node['node'])).toEqual(cluster.nodes.map(node => node.address))
    expect(nodes.map(node => node['role'])).toEqual(['primary', 'replica', 'primary', 'replica'])
    expect(nodes[0]).toMatchObject({ shard: 's0', state: 'up', slots: 8192, slots_percent: 50 })
    const shown = await shardway(['status'])
    expect(shown.stdout).toContain(cluster.nodes[0]!.address)
    expect(shown.stderr).toContain('2 workers')
  })

  it('show lists what the workers have', async () => {
    const session = new Client({
      connectionString: `postgres://app:app@127.0.0.1:${proxy?.port ?? 0}/app?application_name=here`,
    })
    await session.connect()
    try {
      const clients = await rows(['show', 'clients'])
      expect(clients).toContainEqual(
        expect.objectContaining({ application_name: 'here', database: 'app', state: 'idle' }),
      )
    } finally {
      await session.end()
    }
    expect((await rows(['show', 'tables']))[0]).toMatchObject({ table: 'customers', placement: 'sharded', key: 'id' })
    expect(await rows(['show', 'version'])).toHaveLength(1)
  })

  it('explain says the route', async () => {
    const found = await rows(['explain', 'select * from customers where id = $1', '42'])
    const route = new Map(found.map(row => [row['property'], row['value']]))
    expect(route.get('tier')).toBe('single')
    expect(route.get('shards')).toMatch(/^s[01]$/)
    expect(route.get('keys'), JSON.stringify(found)).toBe('int $1')
    // Its rows are there, and a script can tell by the exit code.
    const scattered = ['explain', '--database', 'app', 'select * from customers order by name']
    expect(await shardway(scattered)).toMatchObject({ code: 1, stdout: expect.stringMatching(/tier +refused/) })
    const asJson = await shardway([...scattered, '--json'])
    expect(asJson.code).toBe(1)
    expect(JSON.parse(asJson.stdout)).toContainEqual({ property: 'tier', value: 'refused' })
    expect(await shardway(['explain', 'selec'])).toMatchObject({ code: 1 })
  })

  it('commands', async () => {
    expect(await shardway(['reload'])).toMatchObject({ code: 0, stdout: 'RELOAD\n' })
    expect(await shardway(['reconnect', 'app'])).toMatchObject({ code: 0, stdout: 'RECONNECT\n' })
    const session = new Client({ connectionString: `postgres://app:app@127.0.0.1:${proxy?.port ?? 0}/app` })
    const ended = new Promise<void>(resolve => {
      session.on('error', () => resolve())
    })
    await session.connect()
    const client = (await rows(['show', 'clients'])).find(row => row['database'] === 'app')
    expect(await shardway(['kill_client', String(client?.['ptr'])])).toMatchObject({ code: 0 })
    await ended
    const gone = await shardway(['kill_client', '999999'])
    expect(gone).toMatchObject({ code: 1, stdout: '' })
    expect(gone.stderr).toContain('client "999999" does not exist\nhint: ')
  })

  it('keeps to the rights of the user', async () => {
    expect(await shardway(['show', 'pools'], 'watch')).toMatchObject({ code: 0 })
    expect((await shardway(['reload'], 'watch')).stderr).toContain('may not')
    expect(await shardway(['show', 'pools'], 'plain')).toMatchObject({ code: 1 })
    expect((await shardway(['show', 'pools'], 'nobody')).stderr).toContain('password authentication failed')
  })

  it('serves the dashboard and the metrics', async () => {
    const base = `http://127.0.0.1:${proxy?.httpPort ?? 0}`
    const page = await fetch(`${base}/`)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    const text = await page.text()
    for (const [, path] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
      const answer = await fetch(`${base}/${path ?? ''}`)
      expect(answer.status, path).toBe(200)
    }
    const view = (await (await fetch(`${base}/api/topology`)).json()) as { databases: Array<{ shards: unknown[] }> }
    expect(view.databases[0]?.shards).toHaveLength(2)
    expect(await (await fetch(`${base}/metrics`)).text()).toContain('shardway_node_up{')
  })
})
