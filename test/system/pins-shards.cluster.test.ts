import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, valueOf as value } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

/** Few servers: what one session left behind would be the next one’s. */
describe.each([1, 2])('sessions that keep a server of two shards, workers=%i', workers => {
  let system: System
  let wire: Wire

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, sections: { pool: { default_pool_size: 4 * workers } } })
    const first = await system.connect()
    for (let id = 1; id <= 20; id++)
      await first.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    await first.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  async function pins(): Promise<string[]> {
    const console = await system.console()
    const rows = rowsOf(await console.run('SHOW CLIENTS'))
    await console.end()
    return rows.map(row => row.at(-1) ?? '').filter(text => text !== '')
  }

  it('temporary tables shadow others, are seen on the default shard only, and end with DROP', async () => {
    wire = await system.connect()
    await wire.run('CREATE TEMP TABLE scratch (id int, name text)')
    expect(await pins()).toEqual(['temporary table'])
    await wire.run(`INSERT INTO scratch VALUES (1, 'one'), (2, 'two')`)
    wire.send(frames.query('COPY scratch FROM STDIN'), frames.copyData('3\tthree\n'), frames.copyDone)
    expect(errorOf(await wire.until('Z'))).toBeNull()
    expect(await value(wire, 'SELECT count(*) FROM scratch')).toBe('3')
    for (let id = 1; id <= 20; id++) {
      expect(await value(wire, `SELECT name FROM customers WHERE id = ${id}`)).toBe(`customer ${id}`)
    }
    expect(await value(wire, 'SELECT s.name FROM scratch s JOIN notes n ON n.id = s.id WHERE s.id = 2')).toBe('two')
    // One name, two tables: the session's own comes first, and is not sharded.
    await wire.run('CREATE TEMP TABLE customers AS SELECT 99 AS id')
    expect(await value(wire, 'SELECT count(*) FROM customers')).toBe('1')
    expect(await value(wire, 'SELECT name FROM public.customers WHERE id = 7')).toBe('customer 7')
    await wire.run('DROP TABLE customers')
    expect(await value(wire, 'SELECT name FROM customers WHERE id = 7')).toBe('customer 7')
    expect(errorOf(await wire.query('SELECT count(*) FROM customers'))?.['C']).toBe('0A000')
    await wire.run('DROP TABLE scratch')
    expect(await pins()).toEqual([])
    expect(errorOf(await wire.query('SELECT * FROM scratch'))?.['C']).toBe('42P01')
  })

  it('temporary tables end with their transaction', async () => {
    wire = await system.connect()
    await wire.run('BEGIN')
    await wire.run('CREATE TEMP TABLE brief (a int) ON COMMIT DROP')
    await wire.run('INSERT INTO brief VALUES (1)')
    expect(await value(wire, 'SELECT count(*) FROM brief')).toBe('1')
    await wire.run('COMMIT')
    expect(await pins()).toEqual([])
    await wire.run('BEGIN')
    await wire.run('CREATE TEMP TABLE undone (a int)')
    await wire.run('ROLLBACK')
    expect(await pins()).toEqual([])
    await wire.run('CREATE TEMP TABLE kept (a int)')
    await wire.run('BEGIN')
    await wire.run('DROP TABLE kept')
    await wire.run('ROLLBACK')
    expect(await pins()).toEqual(['temporary table'])
    expect(await value(wire, 'SELECT count(*) FROM kept')).toBe('0')
    await wire.run('DISCARD TEMP')
    expect(await pins()).toEqual([])
    await wire.run('BEGIN')
    await wire.run('SAVEPOINT s')
    await wire.run('CREATE TEMP TABLE customers (id int, name text)')
    expect(rowsOf(await wire.run('SELECT name FROM customers WHERE id = 7'))).toEqual([])
    await wire.run('ROLLBACK TO s')
    expect(errorOf(await wire.query('SELECT count(*) FROM customers'))?.['C']).toBe('0A000')
    await wire.run('ROLLBACK')
    expect(await pins()).toEqual([])
  })

  it('what failed keeps no server', async () => {
    wire = await system.connect()
    expect(errorOf(await wire.query('CREATE TEMP TABLE bad (a nothing)'))?.['C']).toBe('42704')
    expect(await pins()).toEqual([])
  })

  it('advisory locks live on the default shard', async () => {
    wire = await system.connect()
    const other = await system.connect()
    await wire.run('SELECT pg_advisory_lock(1), pg_advisory_lock(2)')
    for (let id = 1; id <= 20; id++) await wire.run(`SELECT name FROM customers WHERE id = ${id}`)
    expect(await value(other, 'SELECT pg_try_advisory_lock(1)')).toBe('f')
    expect(await value(other, 'SELECT pg_try_advisory_xact_lock(2)')).toBe('f')
    await wire.run('SELECT pg_advisory_unlock(1)')
    expect(await value(other, 'SELECT pg_try_advisory_lock(1)')).toBe('t')
    await other.end()
    expect(await pins()).toEqual(['advisory lock'])
    await wire.run('SELECT pg_advisory_unlock_all()')
    expect(await pins()).toEqual([])
  })

  it('cursors WITH HOLD', async () => {
    wire = await system.connect()
    await wire.run('BEGIN')
    await wire.run('DECLARE c CURSOR WITH HOLD FOR SELECT id FROM notes ORDER BY id')
    await wire.run('COMMIT')
    for (let id = 1; id <= 20; id++) {
      await wire.run(`SELECT name FROM customers WHERE id = ${id}`)
      expect(await value(wire, 'FETCH 1 FROM c')).toBe(String(id))
    }
    expect(await pins()).toEqual(['cursor with hold'])
    await wire.run('CLOSE c')
    expect(await pins()).toEqual([])
  })

  it('set_config is SET: it follows the session to every shard', async () => {
    wire = await system.connect()
    await wire.run(
      `SELECT set_config('application_name', 'by ''function''', false), set_config('my.setting', 'x', false)`,
    )
    expect(await pins()).toEqual([])
    for (let id = 1; id <= 20; id++) {
      const sql = `SELECT current_setting('application_name') || current_setting('my.setting') FROM customers WHERE id = ${id}`
      expect(await value(wire, sql)).toBe(`by 'function'x`)
    }
    await wire.run(`SELECT pg_catalog.set_config('search_path', '', false)`)
    expect(errorOf(await wire.query('SELECT * FROM notes WHERE id = 1'))?.['C']).toMatch(/0A000|42P01/)
    expect(await value(wire, 'SELECT body FROM public.notes WHERE id = 1')).toBe('note 1')
    await wire.run('BEGIN')
    await wire.run(`SELECT set_config('my.setting', 'local', true)`)
    await wire.run('COMMIT')
    expect(await value(wire, `SELECT current_setting('my.setting')`)).toBe('x')
    const other = await system.connect()
    for (let i = 0; i < 10; i++) expect(await value(other, 'SHOW application_name')).toBe('')
    await other.end()
  })

  it('NOTIFY is one over all shards', async () => {
    wire = await system.connect()
    const server = system.cluster.shards[0]?.primary.server
    const listener = await server?.connect({ user: 'app', password: 'app' })
    const heard: string[] = []
    listener?.on('notification', message => heard.push(message.payload ?? ''))
    await listener?.query('LISTEN news')
    await wire.run(`NOTIFY news, 'one'`)
    await wire.run(`SELECT pg_notify('news', 'two')`)
    await expect.poll(() => heard).toEqual(['one', 'two'])
    await listener?.end()
  })

  it('DISCARD ALL ends every reason', async () => {
    wire = await system.connect()
    await wire.run('CREATE TEMP TABLE mine (a int)')
    await wire.run('SELECT pg_advisory_lock(3)')
    expect(statusOf(await wire.query('DISCARD ALL'))).toBe('I')
    expect(await pins()).toEqual([])
    expect(errorOf(await wire.query('SELECT * FROM mine'))?.['C']).toBe('42P01')
  })
})
