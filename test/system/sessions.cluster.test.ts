import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, valueOf as value } from '../support/messages.ts'
import { Random } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel, type Wire } from '../support/wire.ts'

const POOL_SIZE = 3
const CLIENTS = 100
const CUSTOMERS = 20

describe.each([1, 2])('sessions, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, sections: { pool: { default_pool_size: POOL_SIZE } } })
    const wire = await system.connect()
    for (let id = 1; id <= CUSTOMERS; id++)
      await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    await wire.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  async function clients(count: number): Promise<Wire[]> {
    return await Promise.all(Array.from({ length: count }, () => system.connect()))
  }

  async function end(wires: readonly Wire[]): Promise<void> {
    await Promise.all(wires.map(wire => wire.end()))
  }

  it(`${CLIENTS} clients over ${POOL_SIZE} servers: each gets its own answers`, { timeout: 120_000 }, async () => {
    const wires = await clients(CLIENTS)
    await Promise.all(
      wires.map(async (wire, client) => {
        const random = new Random(client + 1)
        for (let round = 0; round < 20; round++) {
          const marker = `c${client}r${round}`
          const id = 1 + random.below(CUSTOMERS)
          switch (random.below(5)) {
            case 0:
              expect(rowsOf(await wire.run(`SELECT '${marker}', name FROM customers WHERE id = ${id}`))).toEqual([
                [marker, `customer ${id}`],
              ])
              break
            case 1: {
              const parts = [frames.parse('SELECT $2::text, name FROM customers WHERE id = $1', 'mine')]
              if (round > 0) parts.unshift(frames.closeStatement('mine'))
              const bind = frames.bind({ statement: 'mine', parameters: [String(id), marker] })
              const messages = await wire.exchange(...parts, bind, frames.execute())
              expect(rowsOf(messages)).toEqual([[marker, `customer ${id}`]])
              break
            }
            case 2: {
              await wire.run('BEGIN')
              expect(await value(wire, `SELECT '${marker}' FROM customers WHERE id = ${id} FOR UPDATE`)).toBe(marker)
              expect(await value(wire, `SELECT '${marker}' || name FROM customers WHERE id = ${id}`)).toBe(
                `${marker}customer ${id}`,
              )
              await wire.run(random.chance(0.5) ? 'COMMIT' : 'ROLLBACK')
              break
            }
            case 3:
              expect(errorOf(await wire.query(`SELECT '${marker}'::int`))?.['M']).toContain(marker)
              break
            default: {
              const many = Array.from({ length: 5 }, (_, i) => frames.query(`SELECT '${marker}-${i}'`))
              wire.send(...many)
              const messages = await wire.until('Z', 5)
              expect(rowsOf(messages)).toEqual(many.map((_, i) => [`${marker}-${i}`]))
            }
          }
        }
      }),
    )
    for (const { primary, replica } of system.cluster.shards) {
      for (const { server } of [primary, replica]) {
        const { rowCount } = await server.query("SELECT FROM pg_stat_activity WHERE usename = 'app'")
        expect(rowCount).toBeLessThanOrEqual(POOL_SIZE + workers)
      }
    }
    await end(wires)
  })

  it('settings are kept over transactions and leak to nobody', { timeout: 60_000 }, async () => {
    const zones = ['UTC', 'Europe/Berlin', 'Asia/Tokyo', 'America/New_York', 'Australia/Sydney']
    const wires = await clients(20)
    await Promise.all(
      wires.map(async (wire, i) => {
        if (i % 2 === 1) return
        await wire.run(`SET TimeZone = '${zones[i % zones.length]}'`)
        await wire.run(`SET search_path = "s ${i}", public`)
        await wire.run(
          `SET application_name = 'Client ${i}'; SET work_mem = '${64 + i}kB'; SET statement_timeout = ${1_000_001 + 2 * i}`,
        )
      }),
    )
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        wires.map(async (wire, i) => {
          const id = 1 + ((i + round) % CUSTOMERS)
          const sql = `SELECT current_setting('TimeZone'), current_setting('search_path'), current_setting('application_name'),
            current_setting('work_mem'), current_setting('statement_timeout') FROM customers WHERE id = ${id}`
          const row = rowsOf(await wire.run(sql))[0]
          if (i % 2 === 1) expect(row).toEqual(['UTC', '"$user", public', '', '4MB', '0'])
          else
            expect(row).toEqual([
              zones[i % zones.length],
              `"s ${i}", public`,
              `Client ${i}`,
              `${64 + i}kB`,
              `${1_000_001 + 2 * i}ms`,
            ])
        }),
      )
    }
    await end(wires)
    const fresh = await system.connect()
    expect(await value(fresh, 'SHOW work_mem')).toBe('4MB')
    expect(await value(fresh, 'SHOW TimeZone')).toBe('UTC')
    await fresh.end()
  })

  it('settings: case, quotes, length, RESET, transactions, set_config', async () => {
    const [wire, other] = await clients(2)
    if (wire === undefined || other === undefined) throw new Error('two clients')
    const long = `x${'y'.repeat(50)}`
    for (const name of ['Foo', 'foo', "o'clock", 'back\\slash', '"quoted"', 'a;b', long]) {
      await wire.run(`SET application_name = '${name.replaceAll("'", "''")}'`)
      await other.run('SELECT name FROM customers WHERE id = 1')
      for (const id of [1, 2, 3, 4]) {
        expect(await value(wire, `SELECT current_setting('application_name') FROM customers WHERE id = ${id}`)).toBe(
          name,
        )
      }
    }
    const path = Array.from({ length: 40 }, (_, i) => `"schema ${i}"`).join(', ')
    await wire.run(`SET search_path = ${path}, public`)
    for (const id of [1, 2, 3, 4]) {
      expect(await value(wire, `SELECT current_setting('search_path') FROM public.customers WHERE id = ${id}`)).toBe(
        `${path}, public`,
      )
    }
    await wire.run('RESET search_path')
    await wire.run("BEGIN; SET application_name = 'rolled back'; ROLLBACK")
    expect(await value(wire, 'SHOW application_name')).toBe(long)
    await wire.run("BEGIN; SET LOCAL application_name = 'local'; COMMIT")
    expect(await value(wire, 'SHOW application_name')).toBe(long)
    await wire.run("BEGIN; SET application_name = 'committed'; COMMIT")
    for (const id of [1, 2, 3]) {
      expect(await value(wire, `SELECT current_setting('application_name') FROM customers WHERE id = ${id}`)).toBe(
        'committed',
      )
    }
    await wire.run('DISCARD ALL')
    expect(await value(wire, 'SHOW application_name')).toBe('')
    await end([wire, other])
  })

  it('startup parameters are the session defaults', async () => {
    const parameters = {
      application_name: 'at start',
      TimeZone: 'Asia/Tokyo',
      options: '-c work_mem=123kB -c search_path=a,public',
    }
    const wire = await system.connect({ parameters })
    expect(wire.parameters.get('application_name')).toBe('at start')
    expect(wire.parameters.get('TimeZone')).toBe('Asia/Tokyo')
    for (const id of [1, 2, 3, 4]) {
      const sql = `SELECT current_setting('work_mem'), current_setting('search_path'), current_setting('TimeZone') FROM customers WHERE id = ${id}`
      expect(rowsOf(await wire.run(sql))).toEqual([['123kB', 'a,public', 'Asia/Tokyo']])
    }
    await wire.run("SET TimeZone = 'UTC'; RESET TimeZone")
    expect(await value(wire, 'SHOW TimeZone')).toBe('Asia/Tokyo')
    await wire.end()
  })

  it('SET ROLE is kept and leaks to nobody', async () => {
    await system.cluster.everywhere(
      'CREATE ROLE other_role; GRANT other_role TO app; GRANT SELECT ON customers TO other_role',
    )
    await system.cluster.caughtUp()
    const [wire, ...others] = await clients(8)
    if (wire === undefined) throw new Error('a client')
    await wire.run('SET ROLE other_role')
    for (let id = 1; id <= 8; id++) {
      expect(await value(wire, `SELECT current_user FROM customers WHERE id = ${id}`)).toBe('other_role')
      for (const other of others)
        expect(await value(other, `SELECT current_user FROM customers WHERE id = ${id}`)).toBe('app')
    }
    await end([wire, ...others])
  })

  it('a client that leaves in a transaction leaves nothing', async () => {
    for (let i = 0; i < POOL_SIZE * 3; i++) {
      const wire = await system.connect()
      await wire.run(`BEGIN; UPDATE customers SET name = 'lost' WHERE id = ${1 + (i % 4)}; SET LOCAL work_mem = '99kB'`)
      if (i % 2 === 0) wire.destroy()
      else await wire.end()
    }
    const wire = await system.connect()
    for (let id = 1; id <= 4; id++) {
      expect(rowsOf(await wire.run(`UPDATE customers SET note = NULL WHERE id = ${id} RETURNING name`))).toEqual([
        [`customer ${id}`],
      ])
      expect(await value(wire, 'SHOW work_mem')).toBe('4MB')
    }
    await wire.end()
  })

  it('more transactions than servers: the others wait for their turn', { timeout: 60_000 }, async () => {
    const wires = await clients(POOL_SIZE * 4)
    const order: string[] = []
    await Promise.all(
      wires.map(async (wire, i) => {
        await wire.run('BEGIN')
        await wire.run('UPDATE customers SET balance = balance + 1 WHERE id = 1')
        await wire.run('SELECT pg_sleep(0.01)')
        order.push(`${i}`)
        await wire.run('COMMIT')
      }),
    )
    expect(order).toHaveLength(wires.length)
    expect(await value(wires[0] as Wire, 'SELECT balance FROM customers WHERE id = 1')).toBe(`${wires.length}.00`)
    await end(wires)
  })

  it('waiting clients can cancel and leave', { timeout: 60_000 }, async () => {
    const holders = await clients(POOL_SIZE + workers)
    const held: Wire[] = []
    // As many as the pool has servers hold one; the others wait, however the pool is divided over workers.
    for (const wire of holders) wire.send(frames.query('BEGIN; SELECT name FROM customers WHERE id = 1 FOR SHARE'))
    const waiting = await Promise.all(
      holders.map(async wire => {
        const got = await wire.next(3000).catch(() => null)
        if (got !== null) held.push(wire)
        return got === null ? wire : null
      }),
    )
    const stuck = waiting.filter(wire => wire !== null)
    expect(held.length).toBeGreaterThanOrEqual(1)
    const [cancelled, ...rest] = stuck
    if (cancelled !== undefined) {
      await sendCancel(system.target(), cancelled.pid, cancelled.secret)
      expect(errorOf(await cancelled.until('Z'))?.['C']).toBe('57014')
    }
    for (const wire of rest) wire.destroy()
    for (const wire of held) {
      await wire.until('Z')
      await wire.run('COMMIT')
    }
    await end(held)
    await system.isServing()
  })

  it('a named statement survives the change of servers', async () => {
    const wires = await clients(10)
    for (const wire of wires) await wire.exchange(frames.parse('SELECT name FROM customers WHERE id = $1', 'same name'))
    await Promise.all(
      wires.map(async (wire, i) => {
        for (let round = 0; round < 10; round++) {
          const id = 1 + ((i + round) % CUSTOMERS)
          const messages = await wire.exchange(
            frames.bind({ statement: 'same name', parameters: [String(id)] }),
            frames.execute(),
          )
          expect(rowsOf(messages)).toEqual([[`customer ${id}`]])
        }
      }),
    )
    await end(wires)
  })

  it('statements of one name and different texts do not mix', async () => {
    const wires = await clients(10)
    await Promise.all(
      wires.map(async (wire, i) => {
        await wire.exchange(frames.parse(`SELECT 'text ${i}', name FROM customers WHERE id = $1`, 'q'))
        for (let id = 1; id <= 10; id++) {
          const messages = await wire.exchange(
            frames.bind({ statement: 'q', parameters: [String(id)] }),
            frames.execute(),
          )
          expect(rowsOf(messages)).toEqual([[`text ${i}`, `customer ${id}`]])
        }
      }),
    )
    await end(wires)
  })
})
