import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, fieldsOf, rowsOf, statusOf, tagsOf, valueOf as value } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

describe.each([1, 2])('sessions that keep their server on one shard, workers=%i', workers => {
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
      // Not there, or no server left that one more client could keep.
      expect(errorOf(await other.query('EXECUTE p (1)'))?.['C']).toMatch(/^(26000|53300)$/)
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

  it('clients that keep their server cannot starve the others', async () => {
    const keepers: Wire[] = []
    const sqlstates: Array<string | undefined> = []
    for (let i = 0; i < 4; i++) {
      const wire = await system.connect()
      keepers.push(wire)
      sqlstates.push(errorOf(await wire.query('CREATE TEMP TABLE kept (a int)'))?.['C'])
    }
    expect(sqlstates[0]).toBeUndefined()
    expect(sqlstates.at(-1)).toBe('53300')
    const other = await system.connect()
    await other.run('SELECT name FROM countries FOR SHARE')
    await Promise.all([other, ...keepers].map(wire => wire.end()))
    // The servers are free again.
    await waitFor('a server to keep', async () => {
      const wire = await system.connect()
      const error = errorOf(await wire.query('CREATE TEMP TABLE kept (a int)'))
      await wire.end()
      return error === null
    })
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
