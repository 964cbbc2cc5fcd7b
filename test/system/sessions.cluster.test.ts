import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, fieldsOf, rowsOf, statusOf, tagsOf } from '../support/messages.ts'
import { Random } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel, type Wire } from '../support/wire.ts'

const POOL_SIZE = 3
const CLIENTS = 100
const CUSTOMERS = 20

/** The first value of the first row. */
async function value(wire: Wire, sql: string): Promise<string | null | undefined> {
  return rowsOf(await wire.run(sql))[0]?.[0]
}

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

describe.each([1, 2])('sessions that keep their server (one shard), workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, oracle: false, sections: { pool: { default_pool_size: 4 } } })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  it('temporary tables', async () => {
    const wire = await system.connect()
    await wire.run('CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (1), (2)')
    const others = await Promise.all(Array.from({ length: 6 }, () => system.connect()))
    for (let round = 0; round < 3; round++) {
      expect(await value(wire, 'SELECT sum(a) FROM mine')).toBe('3')
      for (const other of others) expect(errorOf(await other.query('SELECT sum(a) FROM mine'))?.['C']).toBe('42P01')
    }
    expect(rowsOf(await (await system.console()).run('SHOW CLIENTS')).some(row => /temp/i.test(row.at(-1) ?? ''))).toBe(
      true,
    )
    await wire.end()
    for (const other of others) expect(errorOf(await other.query('SELECT sum(a) FROM mine'))?.['C']).toBe('42P01')
    await Promise.all(others.map(other => other.end()))
  })

  it('LISTEN and NOTIFY', async () => {
    const [listener, speaker] = [await system.connect(), await system.connect()]
    await listener.run('LISTEN news')
    for (let i = 0; i < 3; i++) {
      await speaker.run(`NOTIFY news, 'number ${i}'`)
      const message = await listener.next()
      expect(message.type).toBe('A')
      expect(message.body.subarray(4).toString()).toBe(`news\0number ${i}\0`)
    }
    await listener.run('UNLISTEN news')
    await listener.end()
    // Nobody inherits the subscription.
    const next = await Promise.all(Array.from({ length: 4 }, () => system.connect()))
    for (const wire of next) expect(rowsOf(await wire.run('SELECT * FROM pg_listening_channels()'))).toEqual([])
    await Promise.all([...next, speaker].map(wire => wire.end()))
  })

  it('advisory locks', async () => {
    const [holder, other] = [await system.connect(), await system.connect()]
    await holder.run('SELECT pg_advisory_lock(42)')
    expect(await value(other, 'SELECT pg_try_advisory_lock(42)')).toBe('f')
    await holder.run('SELECT name FROM countries')
    expect(await value(other, 'SELECT pg_try_advisory_lock(42)')).toBe('f')
    expect(await value(holder, 'SELECT pg_advisory_unlock(42)')).toBe('t')
    expect(await value(other, 'SELECT pg_try_advisory_lock(42)')).toBe('t')
    await other.end()
    await waitFor(
      'the lock of the one who left',
      async () => (await value(holder, 'SELECT pg_try_advisory_lock(42)')) === 't',
    )
    await holder.end()
  })

  it('cursors WITH HOLD and SQL-level PREPARE', async () => {
    const wire = await system.connect()
    await wire.run('BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 10); COMMIT')
    await wire.run('PREPARE p AS SELECT $1::int * 2')
    const others = await Promise.all(Array.from({ length: 6 }, () => system.connect()))
    for (let i = 1; i <= 5; i++) {
      for (const other of others) await other.run('SELECT 1')
      expect(await value(wire, 'FETCH 1 FROM c')).toBe(String(i))
      expect(await value(wire, `EXECUTE p (${i})`)).toBe(String(i * 2))
    }
    for (const other of others) {
      expect(errorOf(await other.query('FETCH 1 FROM c'))?.['C']).toBe('34000')
      expect(errorOf(await other.query('EXECUTE p (1)'))?.['C']).toBe('26000')
      await other.end()
    }
    await wire.end()
  })

  it('settings made by functions', async () => {
    const [wire, other] = [await system.connect(), await system.connect()]
    await wire.run("SELECT set_config('application_name', 'by function', false), set_config('my.setting', 'x', false)")
    for (let i = 0; i < 5; i++) {
      expect(await value(other, 'SHOW application_name')).toBe('')
      expect(rowsOf(await other.query('SHOW my.setting'))).not.toEqual([['x']])
      expect(await value(wire, 'SHOW application_name')).toBe('by function')
      expect(await value(wire, 'SHOW my.setting')).toBe('x')
    }
    await wire.end()
    const next = await Promise.all(Array.from({ length: 3 }, () => system.connect()))
    // A server that had it once knows its name for ever, without the value.
    for (const one of next) expect(rowsOf(await one.query('SHOW my.setting'))).not.toEqual([['x']])
    await Promise.all([other, ...next].map(one => one.end()))
  })

  it('more clients that keep their server than the pool can spare: the others still get their turn', async () => {
    const keepers: Wire[] = []
    for (let i = 0; i < 4; i++) {
      const wire = await system.connect()
      keepers.push(wire)
      const error = errorOf(await wire.query('CREATE TEMP TABLE kept (a int)'))
      if (error !== null) expect(error['C']).toMatch(/^(53300|53400|57014|0A000)$/)
    }
    const other = await system.connect()
    await other.run('SELECT name FROM countries FOR SHARE')
    await Promise.all([other, ...keepers].map(wire => wire.end()))
  })

  it('nothing is refused: DDL, COPY, writes to reference tables, generated keys, transactions over all keys', async () => {
    const wire = await system.connect()
    await wire.run('CREATE TABLE made_here (id serial PRIMARY KEY, body text)')
    await wire.run("INSERT INTO made_here (body) VALUES ('a'), ('b')")
    await wire.run("INSERT INTO countries VALUES ('IT', 'Italy')")
    await wire.run("BEGIN; INSERT INTO customers (id, name) SELECT i, 'c' || i FROM generate_series(1, 100) i; COMMIT")
    expect(await value(wire, 'SELECT count(*) FROM customers')).toBe('100')
    wire.send(frames.query('COPY orders FROM STDIN'), frames.copyData('1\t1\t5\n2\t1\t6\n'), frames.copyDone)
    expect(tagsOf(await wire.until('Z'))).toEqual(['COPY 2'])
    expect(await value(wire, 'SELECT sum(o.amount) FROM orders o JOIN customers c ON c.id = o.customer_id')).toBe(
      '11.00',
    )
    await wire.run(
      'BEGIN; ALTER TABLE made_here ADD COLUMN more int; ROLLBACK; DO $$ BEGIN PERFORM 1; END $$; DROP TABLE made_here',
    )
    expect(statusOf(await wire.query('VACUUM orders'))).toBe('I')
    await wire.end()
  })

  it('an error ends no session', async () => {
    const wire = await system.connect()
    for (let i = 0; i < 50; i++) {
      const messages = await wire.query(i % 2 === 0 ? 'SELECT 1/0' : 'SELECT nonsense')
      expect(messages.filter(({ type }) => type === 'E').map(message => fieldsOf(message)['S'])).toEqual(['ERROR'])
    }
    await wire.run('SELECT 1')
    await wire.end()
  })
})
