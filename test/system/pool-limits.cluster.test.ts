import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { appPids, appServers } from '../support/app-servers.ts'
import { frames } from '../support/frames.ts'
import { errorOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const LIMIT = 4

describe.each([1, 2])('limits over all pools, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { pool: { default_pool_size: 10, max_client_conn: 60 } },
      database: { pool: { max_db_connections: LIMIT, max_db_client_connections: 30 } },
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'many', password: 'app' },
        { name: 'few', password: 'app' },
        { name: 'third', password: 'app' },
        { name: 'capped', password: 'app', pool: { max_user_connections: 1 } },
        { name: 'counted', password: 'app', pool: { max_user_client_connections: 3 } },
      ],
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    const console = await system.console()
    await waitFor('the clients to go', async () => {
      const clients = (await console.run('SHOW CLIENTS')).filter(message => message.type === 'D')
      return clients.length === 1
    })
    await console.end()
  })

  const servers = (): Promise<number> => appServers(system)

  const connectMany = (count: number, user: string): Promise<Wire[]> =>
    Promise.all(Array.from({ length: count }, () => system.connect({ user })))

  /** Statements without end on each connection, until told to stop; how many were answered. */
  function load(wires: readonly Wire[]): { stop(): Promise<number>; count(): number } {
    const state = { running: true, count: 0 }
    const all = wires.map(async wire => {
      while (state.running && !wire.closed) {
        await wire.run('SELECT pg_sleep(0.002)')
        state.count++
      }
    })
    return {
      count: () => state.count,
      stop: async () => {
        state.running = false
        await Promise.all(all)
        return state.count
      },
    }
  }

  it('max_db_connections holds, and users that wait each get their turn', async () => {
    const many = load(await connectMany(12, 'many'))
    await waitFor('all servers to be taken', async () => (await servers()) === LIMIT)
    const others = [...(await connectMany(1, 'few')), ...(await connectMany(1, 'third'))]
    const seen: number[] = []
    await Promise.all(
      others.map(async wire => {
        for (let i = 0; i < 20; i++) {
          await wire.run('SELECT 1')
          seen.push(await servers())
        }
      }),
    )
    expect(Math.max(...seen)).toBeLessThanOrEqual(LIMIT)
    const before = many.count()
    await waitFor('the first user to go on', () => many.count() > before)
    await many.stop()
  })

  it('a user that idles gives its servers to those who wait', async () => {
    const first = await connectMany(LIMIT, 'many')
    for (const wire of first) await wire.run('BEGIN; SELECT 1')
    for (const wire of first) await wire.run('COMMIT')
    const second = await connectMany(LIMIT, 'few')
    // All of them at once.
    await Promise.all(second.map(wire => wire.run('BEGIN; SELECT 1')))
    expect(await servers()).toBe(LIMIT)
    await Promise.all(second.map(wire => wire.run('COMMIT')))
  })

  it('max_user_connections', async () => {
    const wires = await connectMany(6, 'capped')
    await Promise.all(
      wires.map(async wire => {
        const sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'"
        expect(await valueOf(wire, sql)).toBe('1')
      }),
    )
  })

  it('max_user_client_connections', async () => {
    const wires = await connectMany(3, 'counted')
    await expect(system.connect({ user: 'counted' })).rejects.toThrow(
      /^53300: client connections exceeded \(max_user_client_connections\)/,
    )
    await wires[0]?.end()
    await waitFor('room', () => system.connect({ user: 'counted' }).catch(() => undefined))
  })

  it('max_db_client_connections; the console is never counted', async () => {
    await connectMany(15, 'many')
    await connectMany(15, 'few')
    await expect(system.connect({ user: 'third' })).rejects.toThrow(
      /^53300: client connections exceeded \(max_db_client_connections\)/,
    )
    const consoles = await Promise.all(Array.from({ length: 5 }, () => system.console()))
    for (const console of consoles) await console.run('SHOW POOLS')
  })
})

describe.each([1, 2])('the console with everything exhausted, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { pool: { default_pool_size: 2, max_client_conn: 6, query_wait_timeout: '0' } },
    })
  })
  afterAll(async () => {
    await system.stop()
  })

  it('answers', async () => {
    const wires = await Promise.all(Array.from({ length: 6 }, () => system.connect()))
    for (const wire of wires) wire.send(frames.query('BEGIN; SELECT 1'))
    const console = await system.console()
    await waitFor('all to hold or wait', async () => {
      const rows = (await console.run('SHOW POOLS')).filter(message => message.type === 'D')
      return rows.some(row => row.body.toString('latin1').includes('app')) && (await waiting(console)) === 4
    })
    await expect(system.connect()).rejects.toThrow(/^53300: no more connections allowed \(max_client_conn\)/)
    for (const what of ['CLIENTS', 'SERVERS', 'STATS', 'DATABASES', 'LISTS', 'CONFIG']) {
      expect(errorOf(await console.run(`SHOW ${what}`))).toBe(null)
    }
    await console.run('RELOAD')
    system.dropClients()
  })

  async function waiting(console: Wire): Promise<number> {
    const rows = (await console.run('SHOW CLIENTS')).filter(message => message.type === 'D')
    return rows.filter(row => row.body.toString('latin1').includes('waiting')).length
  }
})

describe.each([1, 2])('minimum and reserve, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: {
        pool: {
          default_pool_size: 2,
          reserve_pool_timeout: '200ms',
          query_wait_timeout: '2s',
          server_idle_timeout: '300ms',
        },
      },
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'spare', password: 'app', pool: { reserve_pool_size: 1 } },
      ],
      database: { pool: { min_pool_size: 2 } },
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  const pids = (): Promise<number[]> => appPids(system)

  it('min_pool_size is kept open past server_idle_timeout, the rest is not', async () => {
    const wires = await Promise.all(Array.from({ length: workers }, () => system.connect()))
    const kept = await waitFor('the minimum', async () => {
      const found = await pids()
      return found.length === 2 && found
    })
    const extra = await system.connect({ user: 'spare' })
    await waitFor("the other user's minimum", async () => (await pids()).length >= 3)
    await extra.end()
    await Promise.all(wires.map(wire => wire.run('SELECT 1')))
    expect((await pids()).filter(pid => kept.includes(pid))).toEqual(kept)
  })

  it('the reserve serves one more, for all workers, and then nobody', async () => {
    const wires = await Promise.all(Array.from({ length: 4 }, () => system.connect({ user: 'spare' })))
    for (const wire of wires) wire.send(frames.query('BEGIN; SELECT pg_backend_pid()'))
    // Two of the pool, one of the reserve; the last one may not.
    const seen = await Promise.all(wires.map(wire => wire.until('Z').catch(() => [])))
    expect(seen.filter(messages => messages.length > 0)).toHaveLength(3)
    const holders = wires.filter((_, i) => (seen[i]?.length ?? 0) > 0)
    await Promise.all(holders.map(wire => wire.run('COMMIT')))
  })
})
