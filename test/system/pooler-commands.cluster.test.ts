import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { appPids, appServers } from '../support/app-servers.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, tagsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

const PID = 'SELECT pg_backend_pid()'

describe.each([1, 2])('PgBouncer’s commands over all workers, workers=%i', workers => {
  let system: System
  let console: Wire

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0, oracle: false })
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    console = await system.console()
  })
  afterEach(() => {
    system.dropClients()
  })

  const clients = async (state: string): Promise<number> =>
    rowsOf(await console.run('SHOW CLIENTS')).filter(row => row[2] === 'app' && row[4] === state).length
  const connectSome = (): Promise<Wire[]> => Promise.all(Array.from({ length: 4 }, () => system.connect()))
  const database = async (column: number): Promise<string | null | undefined> =>
    rowsOf(await console.run('SHOW DATABASES')).find(row => row[0] === 'app')?.[column]

  it.each(['PAUSE', 'PAUSE app'])('%s waits for transactions, holds the next, and RESUME lets them run', async sql => {
    const wires = await connectSome()
    for (const wire of wires) await wire.run('SELECT 1')
    const [open, ...others] = wires
    if (open === undefined) throw new Error('no client')
    await open.run('BEGIN; SELECT 1')
    console.send(frames.query(sql))
    const second = await system.console()
    await waitFor('the idle servers to go', async () => (await appServers(system)) === 1)
    // The open transaction goes on; what the others begin waits, and so does PAUSE.
    expect(await valueOf(open, 'SELECT 2')).toBe('2')
    for (const wire of others) wire.send(frames.query('SELECT 3'))
    await waitFor('them to wait', async () => {
      const rows = rowsOf(await second.run('SHOW CLIENTS'))
      return rows.filter(row => row[4] === 'waiting').length === others.length
    })
    expect(tagsOf(await open.run('COMMIT'))).toEqual(['COMMIT'])
    expect(tagsOf(await console.until('Z'))).toEqual(['PAUSE'])
    expect(await appServers(system)).toBe(0)
    expect(await database(15)).toBe('1')
    const state = rowsOf(await console.run('SHOW STATE'))
    expect(state).toContainEqual(['paused', sql === 'PAUSE' ? 'yes' : 'no'])
    expect(tagsOf(await console.run(sql.replace('PAUSE', 'RESUME')))).toEqual(['RESUME'])
    for (const wire of others) expect(rowsOf(await wire.until('Z'))).toEqual([['3']])
    expect(await database(15)).toBe('0')
    expect(errorOf(await console.query('RESUME'))).toMatchObject({ M: 'pooler is not paused/suspended' })
    expect(errorOf(await console.query('RESUME app'))).toMatchObject({ M: 'database app is not paused' })
    expect(errorOf(await console.query('PAUSE nonsense'))?.['C']).toBe('42704')
  })

  it('RESUME ends a PAUSE that still waits', async () => {
    const open = await system.connect()
    await open.run('BEGIN; SELECT 1')
    console.send(frames.query('PAUSE'))
    const second = await system.console()
    await waitFor('the pause', async () => rowsOf(await second.run('SHOW STATE'))[1]?.[1] === 'yes')
    await second.run('RESUME')
    expect(errorOf(await console.until('Z'))?.['C']).toBe('55000')
    await open.run('COMMIT')
  })

  it('RECONNECT and WAIT_CLOSE', async () => {
    const wires = await connectSome()
    for (const wire of wires) await wire.run('SELECT 1')
    const [open] = wires
    const pid = await valueOf(open as Wire, `BEGIN; ${PID}`)
    const before = await appPids(system)
    expect(tagsOf(await console.run('RECONNECT app'))).toEqual(['RECONNECT'])
    console.send(frames.query('WAIT_CLOSE'))
    await waitFor('the idle ones to go', async () => (await appPids(system)).every(one => one === Number(pid)))
    const second = await system.console()
    const needed = rowsOf(await second.run('SHOW SERVERS')).map(row => row[13])
    expect(needed).toEqual(['1'])
    await open?.run('COMMIT')
    expect(tagsOf(await console.until('Z'))).toEqual(['WAIT_CLOSE'])
    for (const wire of wires) await wire.run('SELECT 1')
    expect((await appPids(system)).filter(one => before.includes(one))).toEqual([])
  })

  it('DISABLE refuses new clients, on every worker, and leaves the others; ENABLE', async () => {
    const wire = await system.connect()
    expect(tagsOf(await console.run('DISABLE app'))).toEqual(['DISABLE'])
    for (let i = 0; i < 3; i++) {
      await expect(system.connect()).rejects.toThrow('55000: database does not allow connections: app')
    }
    expect(await database(16)).toBe('1')
    await wire.run('SELECT 1')
    expect(tagsOf(await console.run('ENABLE app'))).toEqual(['ENABLE'])
    await (await system.connect()).run('SELECT 1')
    expect(await database(16)).toBe('0')
    expect(errorOf(await console.query('DISABLE'))?.['C']).toBe('42601')
  })

  it('KILL ends clients and servers at once; new ones wait for RESUME', async () => {
    const wires = await connectSome()
    for (const wire of wires) await wire.run('BEGIN; SELECT 1')
    expect(tagsOf(await console.run('KILL app'))).toEqual(['KILL'])
    for (const wire of wires) expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '57P01' })
    await waitFor('the servers to be gone', async () => (await appServers(system)) === 0)
    const late = await Wire.open(system.target())
    const login = late.login(system.target())
    await console.run('RESUME app')
    await login
    await late.run('SELECT 1')
    await late.end()
  })

  it('KILL_CLIENT reaches console sessions too, which SHOW CLIENTS shows', async () => {
    const other = await system.connect({ database: 'pgbouncer', parameters: { application_name: 'a tool' } })
    const row = rowsOf(await console.run('SHOW CLIENTS')).find(one => one[18] === 'a tool')
    expect(row?.slice(0, 5)).toEqual(['C', 'app', 'pgbouncer', 'none', 'active'])
    expect(tagsOf(await console.run(`KILL_CLIENT ${row?.[20]}`))).toEqual(['KILL_CLIENT'])
    expect(errorOf(await other.rest())?.['C']).toBe('57P01')
    expect(errorOf(await console.query('KILL_CLIENT 999999'))?.['C']).toBe('42704')
  })

  it('clients and servers are linked by their pointers', async () => {
    const wire = await system.connect()
    await wire.run('BEGIN; SELECT 1')
    const [client] = rowsOf(await console.run('SHOW CLIENTS')).filter(row => row[4] === 'active' && row[2] === 'app')
    const server = rowsOf(await console.run('SHOW SERVERS')).find(row => row[14] === client?.[15])
    expect(server?.[15]).toBe(client?.[14])
    expect(await clients('active')).toBe(1)
    await wire.run('COMMIT')
  })

  it('what drivers set and ask', async () => {
    expect(tagsOf(await console.run("SET application_name = 'x'"))).toEqual(['SET'])
    expect(tagsOf(await console.run('SET extra_float_digits=3'))).toEqual(['SET'])
    expect(rowsOf(await console.run('SHOW standard_conforming_strings'))).toEqual([['on']])
    expect(errorOf(await console.query('SET default_pool_size = 3'))?.['C']).toBe('42601')
    expect(errorOf(await console.query('SUSPEND'))?.['C']).toBe('0A000')
  })
})

describe.each([1, 2])('SHUTDOWN, workers=%i', workers => {
  it('WAIT_FOR_CLIENTS ends when the last client has gone', async () => {
    const system = await startSystem({ workers, shards: 1, replicas: 0, oracle: false })
    try {
      const wires = [await system.connect(), await system.connect()]
      const console = await system.console()
      expect(tagsOf(await console.run('SHUTDOWN WAIT_FOR_CLIENTS'))).toEqual(['SHUTDOWN'])
      await expect(system.connect()).rejects.toThrow(/^57P01/)
      for (const wire of wires) await wire.run('SELECT 1')
      await wires[0]?.end()
      await wires[1]?.run('SELECT 1')
      expect(system.shardway.running).toBe(true)
      await wires[1]?.end()
      expect(await system.shardway.ended).toBe(0)
    } finally {
      await system.stop()
    }
  })
})
