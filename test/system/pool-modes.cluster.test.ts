import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'

const PID = 'SELECT pg_backend_pid()'

describe.each([1, 2])('pool modes on one shard, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 1,
      oracle: false,
      sections: { pool: { default_pool_size: 4, query_wait_timeout: '20s' } },
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'keeps', password: 'app', pool: { mode: 'session' } },
        { name: 'single', password: 'app', pool: { mode: 'statement' } },
      ],
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  it('SHOW POOLS has the mode of each', async () => {
    for (const user of ['app', 'keeps', 'single']) await (await system.connect({ user })).run('SELECT 1')
    const rows = rowsOf(await (await system.console()).run('SHOW POOLS'))
    const modes = new Map(rows.map(row => [row[1] === 'app' && row[0] === 'shardway' ? '' : row[1], row[15]]))
    expect([modes.get('app'), modes.get('keeps'), modes.get('single')]).toEqual(['transaction', 'session', 'statement'])
  })

  it('session: the server stays until the client leaves', async () => {
    const wire = await system.connect({ user: 'keeps' })
    const pid = await valueOf(wire, PID)
    const others = await Promise.all(Array.from({ length: 2 }, () => system.connect({ user: 'keeps' })))
    const pids = await Promise.all(others.map(other => valueOf(other, PID)))
    expect(new Set([pid, ...pids]).size).toBe(3)
    for (let i = 0; i < 3; i++) expect(await valueOf(wire, PID)).toBe(pid)
  })

  it('session: nothing is refused for the pool, and all may keep state', async () => {
    const wires = await Promise.all(Array.from({ length: 4 }, () => system.connect({ user: 'keeps' })))
    await Promise.all(
      wires.map(async (wire, i) => {
        await wire.run(`CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (${i})`)
        await wire.run('LISTEN news')
        await wire.run(`PREPARE p AS SELECT ${i} + $1`)
        await wire.run(`SELECT pg_advisory_lock(${i})`)
        await wire.run("SET work_mem = '1MB'")
        await wire.run('BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 3); COMMIT')
      }),
    )
    for (const [i, wire] of wires.entries()) {
      expect(await valueOf(wire, 'SELECT a FROM mine')).toBe(String(i))
      expect(await valueOf(wire, 'EXECUTE p (10)')).toBe(String(i + 10))
      expect(await valueOf(wire, 'FETCH 1 FROM c')).toBe('1')
      expect(await valueOf(wire, 'SHOW work_mem')).toBe('1MB')
    }
  })

  it('session: nothing is left for the next client', async () => {
    const first = await system.connect({ user: 'keeps' })
    await first.run('CREATE TEMP TABLE mine (a int)')
    await first.run('LISTEN news')
    await first.run('SELECT pg_advisory_lock(77)')
    await first.run("SELECT set_config('work_mem', '2MB', false)")
    await first.end()
    const next = await Promise.all(Array.from({ length: 4 }, () => system.connect({ user: 'keeps' })))
    for (const wire of next) {
      expect(errorOf(await wire.query('SELECT * FROM mine'))?.['C']).toBe('42P01')
      expect(rowsOf(await wire.run('SELECT * FROM pg_listening_channels()'))).toEqual([])
      expect(await valueOf(wire, 'SHOW work_mem')).toBe('4MB')
    }
    await waitFor(
      'the lock',
      async () => next[0] !== undefined && (await valueOf(next[0], 'SELECT pg_try_advisory_lock(77)')) === 't',
    )
  })

  it('session: one more client waits until another leaves', async () => {
    const wires = await Promise.all(Array.from({ length: 4 }, () => system.connect({ user: 'keeps' })))
    const late = await system.connect({ user: 'keeps' })
    await Promise.all(wires.map(wire => wire.run('SELECT 1')))
    late.send(frames.query('SELECT 1'))
    const console = await system.console()
    await waitFor('it to wait', async () => rowsOf(await console.run('SHOW CLIENTS')).some(row => row[4] === 'waiting'))
    await Promise.all(wires.map(wire => wire.end()))
    expect(rowsOf(await late.until('Z'))).toEqual([['1']])
  })

  it('session: whoever loses its server is ended', async () => {
    const wire = await system.connect({ user: 'keeps' })
    const pid = await valueOf(wire, PID)
    await system.cluster.nodes[0]?.server.query(`SELECT pg_terminate_backend(${pid})`)
    expect(errorOf(await wire.rest())?.['S']).toBe('FATAL')
  })

  it.each(['BEGIN', 'START TRANSACTION', 'SELECT 1; BEGIN', 'BEGIN; SELECT 1; COMMIT'])(
    'statement: %s is refused',
    async sql => {
      const wire = await system.connect({ user: 'single' })
      const seen = await wire.query(sql)
      expect(errorOf(seen)).toMatchObject({
        S: 'ERROR',
        C: '08P01',
        M: 'transaction blocks not allowed in statement pooling mode',
      })
      expect(statusOf(seen)).toBe('I')
      expect(tagsOf(await wire.run('SELECT 1'))).toEqual(['SELECT 1'])
    },
  )

  it('statement: BEGIN is refused in the extended protocol, and the rest of the batch dropped', async () => {
    const wire = await system.connect({ user: 'single' })
    const seen = await wire.exchange(
      frames.parse('BEGIN', 'b'),
      frames.bind({ statement: 'b' }),
      frames.execute(),
      frames.parse('SELECT 1'),
      frames.bind(),
      frames.execute(),
    )
    expect(seen.map(({ type }) => type)).toEqual(['E', 'Z'])
    expect(errorOf(seen)?.['M']).toBe('transaction blocks not allowed in statement pooling mode')
    wire.send(frames.parse('SELECT 2'), frames.bind(), frames.execute(), frames.flush)
    await wire.until('C')
    const late = await wire.exchange(frames.parse('BEGIN'), frames.bind(), frames.execute())
    expect(late.map(({ type }) => type)).toEqual(['E', 'Z'])
    expect(statusOf(late)).toBe('I')
    expect(rowsOf(await wire.run('SELECT 3'))).toEqual([['3']])
  })

  it('statement: several statements in one query are one transaction', async () => {
    const wire = await system.connect({ user: 'single' })
    const sql = "INSERT INTO countries (code, name) VALUES ('zz', 'none'); SELECT 1 / 0"
    expect(errorOf(await wire.query(sql))?.['C']).toBe('22012')
    expect(await valueOf(wire, "SELECT count(*) FROM countries WHERE code = 'zz'")).toBe('0')
  })
})

describe('session mode on several shards', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 1, oracle: false, sections: { pool: { mode: 'session' } } })
  })
  afterAll(async () => {
    await system.stop()
  })

  it('keeps a server of each shard that was used', async () => {
    const wire = await system.connect()
    const pids = new Map<number, string | null | undefined>()
    for (let id = 1; id <= 12; id++) {
      pids.set(
        id,
        await valueOf(wire, `SELECT pg_backend_pid() FROM (SELECT count(*) FROM customers WHERE id = ${id}) t`),
      )
    }
    expect(new Set(pids.values()).size).toBe(2)
    for (const [id, pid] of pids) {
      const sql = `SELECT pg_backend_pid() FROM (SELECT count(*) FROM customers WHERE id = ${id}) t`
      expect(await valueOf(wire, sql)).toBe(pid)
    }
    const console = await system.console()
    const [client] = rowsOf(await console.run('SHOW CLIENTS')).filter(row => row[2] === 'app')
    expect(client?.[4]).toBe('active')
    await wire.end()
    await waitFor('the servers to be idle', async () =>
      rowsOf(await console.run('SHOW SERVERS')).every(row => row[4] !== 'active'),
    )
    await console.end()
  })
})

describe('session pooling over two shards', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 1, oracle: false, sections: { pool: { mode: 'session' } } })
  })
  afterAll(async () => {
    await system.stop()
  })

  it('keeps a server of each, and blocks find theirs', async () => {
    const wire = await system.connect()
    const pids = new Map<string, string | undefined>()
    for (let round = 0; round < 2; round++) {
      for (let id = 1; id <= 8; id++) {
        await wire.run('BEGIN')
        await wire.run("SET LOCAL work_mem = '3MB'")
        await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'c') ON CONFLICT (id) DO NOTHING`)
        const [shard, pid, memory] =
          rowsOf(
            await wire.run(
              `SELECT inet_server_port(), pg_backend_pid(), current_setting('work_mem') FROM customers WHERE id = ${id}`,
            ),
          )[0] ?? []
        expect(memory).toBe('3MB')
        expect(pids.get(String(shard)) ?? pid).toBe(pid)
        pids.set(String(shard), pid ?? undefined)
        await wire.run('COMMIT')
        expect(await valueOf(wire, 'SHOW work_mem')).not.toBe('3MB')
      }
    }
    expect(pids.size).toBe(2)
    await wire.end()
  })
})
