import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, rowsOf, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire, WireError } from '../support/wire.ts'

const words = (text: string): string[] => text.trim().split(/[\s,]+/)

/** PgBouncer 1.25's columns, in its order; Shardway's own come behind them. */
const COLUMNS: Readonly<Record<string, string[]>> = {
  POOLS:
    words(`database,user,cl_active,cl_waiting,cl_active_cancel_req,cl_waiting_cancel_req,sv_active,sv_active_cancel,
    sv_being_canceled,sv_idle,sv_used,sv_tested,sv_login,maxwait,maxwait_us,pool_mode,load_balance_hosts`),
  STATS: words(`database,total_server_assignment_count,total_xact_count,total_query_count,total_received,total_sent,
    total_xact_time,total_query_time,total_wait_time,total_client_parse_count,total_server_parse_count,total_bind_count,
    total_client_login_count,avg_server_assignment_count,avg_xact_count,avg_query_count,avg_recv,avg_sent,avg_xact_time,
    avg_query_time,avg_wait_time,avg_client_parse_count,avg_server_parse_count,avg_bind_count,avg_client_login_count`),
  CLIENTS:
    words(`type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,
    close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id`),
  SERVERS:
    words(`type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,
    close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id`),
  VERSION: ['version'],
  SHARDS: ['database', 'shard'],
  NODES: ['database', 'shard', 'node', 'role', 'state'],
}

type Row = Readonly<Record<string, string | null>>

async function table(wire: Wire, sql: string): Promise<Row[]> {
  const messages = await wire.run(sql)
  const description = messages.find(({ type }) => type === 'T')
  const names = description === undefined ? [] : columnsOf(description).map(column => column.name)
  return rowsOf(messages).map(row => Object.fromEntries(names.map((name, i) => [name, row[i] ?? null])))
}

describe.each([1, 2])('the console, workers=%i', workers => {
  let system: System
  let console: Wire

  beforeAll(async () => {
    system = await startSystem({
      workers,
      oracle: false,
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'monitor', password: 'app', stats: true },
        { name: 'nobody', password: 'app' },
      ],
    })
    console = await system.console()
    const wire = await system.connect()
    for (let id = 1; id <= 6; id++) await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    await wire.end()
  })
  afterAll(async () => {
    await system.stop()
  })

  it.each(Object.keys(COLUMNS))('SHOW %s has the columns', async what => {
    const expected = COLUMNS[what] ?? []
    for (const sql of [`SHOW ${what}`, `show ${what.toLowerCase()};`]) {
      const messages = await console.run(sql)
      const description = messages.find(({ type }) => type === 'T')
      if (description === undefined) throw new Error('no RowDescription')
      expect(
        columnsOf(description)
          .map(({ name }) => name)
          .slice(0, expected.length),
      ).toEqual(expected)
      expect(tagsOf(messages)).toEqual(['SHOW'])
    }
  })

  it('SHOW CLIENTS shows the clients of every worker', async () => {
    const wires = await Promise.all(
      Array.from({ length: 4 }, (_, i) => system.connect({ parameters: { application_name: `client ${i}` } })),
    )
    await Promise.all(wires.map(wire => wire.run('SELECT name FROM customers WHERE id = 1')))
    await wires[0]?.run('BEGIN; SELECT name FROM customers WHERE id = 1')
    const rows = await waitFor('the clients', async () => {
      const all = await table(console, 'SHOW CLIENTS')
      const mine = all.filter(row => row['application_name']?.startsWith('client '))
      return mine.length === 4 && mine
    })
    expect(new Set(rows.map(row => row['worker'])).size).toBe(workers)
    expect(rows.every(row => row['type'] === 'C' && row['user'] === 'app' && row['database'] === 'app')).toBe(true)
    expect(rows.find(row => row['application_name'] === 'client 0')?.['link']).not.toBe('')
    expect(new Set(rows.map(row => row['id'])).size).toBe(4)
    const servers = await table(console, 'SHOW SERVERS')
    expect(servers.length).toBeGreaterThan(0)
    expect(servers.every(row => row['type'] === 'S' && Number(row['remote_pid']) > 0)).toBe(true)
    await Promise.all(wires.map(wire => wire.end()))
    await waitFor('them to go', async () =>
      (await table(console, 'SHOW CLIENTS')).every(row => !row['application_name']?.startsWith('client ')),
    )
  })

  it('SHOW POOLS and STATS add up', async () => {
    const stats = async (): Promise<Row> => {
      const row = (await table(console, 'SHOW STATS')).find(one => one['database'] === 'app')
      if (row === undefined) throw new Error('no row for app')
      return row
    }
    const before = await stats()
    const wire = await system.connect()
    for (let i = 0; i < 10; i++) await wire.run('SELECT name FROM customers WHERE id = 2')
    await wire.exchange(frames.parse('SELECT 1'), frames.bind(), frames.execute())
    await wire.run("BEGIN; UPDATE customers SET note = 'x' WHERE id = 2")
    await wire.run('ROLLBACK')
    const [pool] = (await table(console, 'SHOW POOLS')).filter(
      row => row['database'] === 'app' && row['user'] === 'app',
    )
    expect(Number(pool?.['cl_active'])).toBeGreaterThanOrEqual(1)
    expect(pool?.['pool_mode']).toBe('transaction')
    await waitFor('the numbers', async () => {
      const after = await stats()
      const more = (name: string): number => Number(after[name]) - Number(before[name])
      return (
        more('total_query_count') >= 12 &&
        more('total_xact_count') >= 12 &&
        more('total_received') > 400 &&
        more('total_sent') > 400
      )
    })
    await wire.end()
  })

  it('SHOW SHARDS and NODES', async () => {
    const shards = await table(console, 'SHOW SHARDS')
    expect(shards.map(row => [row['shard'], row['slots']])).toEqual([
      ['s0', '8192'],
      ['s1', '8192'],
    ])
    const nodes = await table(console, 'SHOW NODES')
    expect(nodes.map(row => row['node']).sort()).toEqual(system.cluster.nodes.map(node => node.address).sort())
    expect(nodes.map(row => row['role']).sort()).toEqual(['primary', 'primary', 'replica', 'replica'])
    expect(nodes.every(row => row['state'] === 'up')).toBe(true)
  })

  it('SHOW VERSION; the alias answers as PgBouncer', async () => {
    expect((await table(console, 'SHOW VERSION'))[0]?.['version']).toMatch(/^Shardway \d+\.\d+\.\d+|PgBouncer/)
    const alias = await system.connect({ database: 'pgbouncer' })
    expect((await table(alias, 'SHOW VERSION'))[0]?.['version']).toMatch(
      /^PgBouncer 1\.25\.0 \(Shardway \d+\.\d+\.\d+\)$/,
    )
    await alias.end()
  })

  it('secrets are shown nowhere', async () => {
    for (const what of ['CONFIG', 'USERS', 'DATABASES', 'CLIENTS', 'SERVERS']) {
      const text = JSON.stringify(await table(console, `SHOW ${what}`))
      expect(text).not.toContain(system.cluster.superuser.password)
    }
    const metrics = await (await fetch(`${system.shardway.httpUrl}/metrics`)).text()
    expect(metrics).not.toContain(system.cluster.superuser.password)
    expect(system.shardway.lines.join('\n')).not.toContain(system.cluster.superuser.password)
  })

  it('what it does not know is an error, and the session goes on', async () => {
    for (const sql of ['SHOW NONSENSE', 'SELECT 1', 'DROP TABLE customers', 'KILL nonsense', "SHOW '"]) {
      expect(errorOf(await console.query(sql))?.['C'], sql).toMatch(/^[0-9A-Z]{5}$/)
    }
    expect(tagsOf(await console.run('SHOW VERSION'))).toEqual(['SHOW'])
  })

  it('who may enter, and what one may do there', async () => {
    const monitor = await system.connect({ database: 'shardway', user: 'monitor' })
    for (const what of ['POOLS', 'STATS', 'CLIENTS', 'SERVERS', 'SHARDS', 'NODES', 'VERSION'])
      await monitor.run(`SHOW ${what}`)
    const [client] = await table(console, 'SHOW CLIENTS')
    for (const command of [
      'RELOAD',
      'SHUTDOWN',
      'RECONNECT',
      'PAUSE',
      'RESUME',
      `KILL_CLIENT ${client?.['id']}`,
      'DISABLE app',
      'ENABLE app',
      'KILL app',
      'WAIT_CLOSE',
      'SUSPEND',
      'SHOW FDS',
    ]) {
      expect(errorOf(await monitor.query(command))?.['C'], command).toBe('42501')
    }
    await monitor.end()
    await expect(system.connect({ database: 'shardway', user: 'nobody' })).rejects.toThrow(WireError)
    await expect(system.connect({ database: 'shardway', password: 'wrong' })).rejects.toThrow(/^28P01/)
    expect(system.shardway.running).toBe(true)
  })

  it('KILL_CLIENT', async () => {
    const wire = await system.connect({ parameters: { application_name: 'to be killed' } })
    await wire.run('SELECT 1')
    const row = (await table(console, 'SHOW CLIENTS')).find(one => one['application_name'] === 'to be killed')
    await console.run(`KILL_CLIENT ${row?.['id']}`)
    const messages = await wire.rest()
    expect(errorOf(messages)?.['C']).toBe('57P01')
  })

  it('/metrics, /healthz, /readyz, the dashboard', async () => {
    const get = async (path: string): Promise<{ status: number; type: string; text: string }> => {
      const answer = await fetch(`${system.shardway.httpUrl}${path}`)
      return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() }
    }
    const metrics = await get('/metrics')
    expect(metrics.status).toBe(200)
    expect(metrics.type).toContain('text/plain')
    const names = [...metrics.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name]) => name ?? '')
    expect(names.filter(name => name.startsWith('shardway_')).length).toBeGreaterThan(10)
    expect(names.every(name => /^(shardway|process|nodejs)_/.test(name))).toBe(true)
    expect(metrics.text).not.toMatch(/NaN/)
    expect((await get('/healthz')).status).toBe(200)
    expect((await get('/readyz')).status).toBe(200)
    const page = await get('/')
    expect(page.status).toBe(200)
    expect(page.type).toContain('text/html')
    expect((await get('/no/such/page')).status).toBe(404)
    expect((await get('/../../etc/passwd')).status).toBe(404)
    expect((await get('/%2e%2e/%2e%2e/etc/passwd')).status).toBe(404)
  })

  describe('SIGHUP', () => {
    it('a wrong file changes nothing and says so', async () => {
      const text = readFileSync(system.shardway.configPath, 'utf8')
      const wire = await system.connect()
      const from = system.shardway.lines.length
      system.shardway.writeConfig(text.replace('[read]', '[read]\nnonsense = 1').concat('\n[pool]\nmode = "wrong"\n'))
      await system.shardway.signal('SIGHUP')
      await waitFor('the complaint', () => system.shardway.lines.slice(from).some(line => line.includes('pool.mode')))
      await wire.run('SELECT name FROM customers WHERE id = 1')
      await wire.end()
      await system.isServing()
      system.shardway.writeConfig(text)
    })

    it('a right file takes effect, for clients that are there too', async () => {
      const text = readFileSync(system.shardway.configPath, 'utf8')
      const wire = await system.connect()
      await expect(system.connect({ user: 'newcomer' })).rejects.toThrow(/^28P01/)
      system.shardway.writeConfig(`${text}\n[[users]]\nname = "newcomer"\npassword = "app"\n`)
      await system.shardway.signal('SIGHUP')
      const newcomer = await waitFor('the new user', () => system.connect({ user: 'newcomer' }))
      // Every worker has it.
      for (let i = 0; i < 4; i++)
        await (await system.connect({ user: 'newcomer' })).run('SELECT name FROM customers WHERE id = 1')
      await wire.run('SELECT name FROM customers WHERE id = 1')
      system.shardway.writeConfig(text)
      expect(tagsOf(await console.run('RELOAD'))).toEqual(['RELOAD'])
      await expect(system.connect({ user: 'newcomer' })).rejects.toThrow(/^28P01/)
      await Promise.all([wire.end(), newcomer.end()])
    })
  })
})
