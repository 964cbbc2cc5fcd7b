import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items VALUES (1, 'one');
`

/** What the proxy believes of a server's settings is what that server has: one server, which every session gets in turn. */
describe('settings, on one server for all', () => {
  let system: System
  let one: Wire
  let two: Wire

  beforeAll(async () => {
    system = await startSystem({
      workers: 1,
      shards: 1,
      replicas: 0,
      oracle: false,
      schema: SCHEMA,
      sections: { pool: { default_pool_size: 1 } },
    })
    await system.cluster.everywhere('CREATE ROLE other; GRANT other TO app')
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    one = await system.connect()
    two = await system.connect()
  })
  afterEach(() => {
    system.dropClients()
  })

  it('RESET ALL leaves the role alone, and nobody else gets it', async () => {
    await one.run('SET ROLE other')
    await one.run('RESET ALL')
    expect(await valueOf(one, 'SELECT current_user')).toBe('other')
    expect(await valueOf(two, 'SELECT current_user')).toBe('app')
    expect(await valueOf(one, 'SELECT current_user')).toBe('other')
  })

  it('a unit that fails has reset nothing', async () => {
    await one.run("SET app.tenant = 'seven'")
    const failing = [
      frames.parse('SELECT 1/0'),
      frames.bind(),
      frames.execute(),
      frames.parse('RESET ALL'),
      frames.bind(),
      frames.execute(),
    ]
    expect(errorOf(await one.exchange(...failing))).toMatchObject({ C: '22012' })
    expect(await valueOf(one, 'SHOW app.tenant')).toBe('seven')
    expect(await valueOf(two, "SELECT coalesce(current_setting('app.tenant', true), '')")).toBe('')
    expect(errorOf(await one.query('RESET ALL; SELECT 1/0'))).toMatchObject({ C: '22012' })
    expect(await valueOf(one, 'SHOW app.tenant')).toBe('seven')
  })

  it('a rollback brings back what RESET ALL took', async () => {
    await one.run("SET work_mem = '5MB'")
    await one.run('BEGIN')
    await one.run('RESET ALL')
    expect(await valueOf(one, 'SHOW work_mem')).not.toBe('5MB')
    await one.run('ROLLBACK')
    expect(await valueOf(one, 'SHOW work_mem')).toBe('5MB')
    expect(await valueOf(two, 'SHOW work_mem')).not.toBe('5MB')
    expect(await valueOf(one, 'SHOW work_mem')).toBe('5MB')
  })

  it('RESET ALL goes back to what the session began with', async () => {
    const started = await system.connect({ parameters: { work_mem: '7MB' } })
    await started.run("SET work_mem = '9MB'; SET app.x = 'y'")
    await started.run('RESET ALL')
    expect(await valueOf(started, 'SHOW work_mem')).toBe('7MB')
    expect(await valueOf(two, 'SHOW work_mem')).not.toBe('7MB')
    expect(await valueOf(started, 'SHOW work_mem')).toBe('7MB')
    expect(errorOf(await started.query("RESET work_mem; SET work_mem = '11MB'"))).toBeNull()
    expect(await valueOf(started, 'SHOW work_mem')).toBe('11MB')
  })

  it('SET LOCAL stays local when a statement from before the block is prepared in it', async () => {
    await one.exchange(frames.parse("SELECT current_setting('app.tenant', true), now()::text", 'p'))
    // Of other servers: the statement is not on the one that the block gets.
    await two.run('DISCARD ALL')
    const console = await system.console()
    await console.run('RECONNECT')
    await console.end()
    await one.run('BEGIN')
    await one.run("SET LOCAL app.tenant = 'seven'")
    await one.run("SET LOCAL TimeZone = 'Asia/Tokyo'")
    const rows = rowsOf(await one.exchange(frames.bind({ statement: 'p' }), frames.execute()))
    expect(rows[0]?.[0]).toBe('seven')
    expect(rows[0]?.[1]).toMatch(/\+09$/)
    expect(await valueOf(one, 'SHOW app.tenant')).toBe('seven')
    await one.run('COMMIT')
    expect(await valueOf(one, 'SHOW app.tenant')).toBe('')
    expect(await valueOf(one, 'SHOW TimeZone')).not.toBe('Asia/Tokyo')
    expect(await valueOf(two, 'SHOW TimeZone')).not.toBe('Asia/Tokyo')
  })

  it('a statement that cannot be prepared in the block fails it', async () => {
    await one.run('CREATE TABLE gone (id int)')
    await one.exchange(frames.parse('SELECT id FROM gone', 'g'))
    const console = await system.console()
    await console.run('RECONNECT')
    await console.end()
    await two.run('DROP TABLE gone')
    await one.run('BEGIN')
    await one.run("SET LOCAL TimeZone = 'Asia/Tokyo'")
    const messages = await one.exchange(frames.bind({ statement: 'g' }), frames.execute())
    expect(errorOf(messages)).toMatchObject({ C: '42P01' })
    expect(statusOf(messages)).toBe('E')
    await one.run('ROLLBACK')
    expect(await valueOf(one, 'SHOW TimeZone')).not.toBe('Asia/Tokyo')
  })

  it('ROLLBACK TO and AND CHAIN end what was local before them', async () => {
    await one.run('BEGIN')
    await one.run('SAVEPOINT a')
    await one.run("SET LOCAL TimeZone = 'Asia/Tokyo'")
    await one.run('ROLLBACK TO a')
    await one.exchange(frames.parse("SELECT timestamptz '2020-01-01'::text", 'here'))
    await one.run("SET LOCAL TimeZone = 'Asia/Tokyo'")
    await one.run('SET LOCAL shardway.consistency = strong')
    await one.run('COMMIT AND CHAIN')
    expect(await valueOf(one, 'SHOW TimeZone')).not.toBe('Asia/Tokyo')
    expect(await valueOf(one, 'SHOW shardway.consistency')).not.toBe('strong')
    await one.run('COMMIT')
    await two.run("SET TimeZone = 'Asia/Tokyo'")
    await two.exchange(frames.parse("SELECT timestamptz '2020-01-01'::text", 'there'))
    const rows = rowsOf(await two.exchange(frames.bind({ statement: 'there' }), frames.execute()))
    expect(rows[0]?.[0]).toMatch(/\+09$/)
  })

  it('SET shardway.* is taken back with what it was set in', async () => {
    const shown = async (): Promise<unknown> => await valueOf(one, 'SHOW shardway.consistency')
    const before = await shown()
    const set = "SET shardway.consistency = 'eventual'"
    for (const [texts, expected] of [
      [['BEGIN', set, 'ROLLBACK'], before],
      [['BEGIN', 'SELECT name FROM items', set, 'ROLLBACK'], before],
      [['BEGIN', set, 'COMMIT'], 'eventual'],
      [['BEGIN', 'SELECT name FROM items', set, 'COMMIT'], 'eventual'],
      [['BEGIN', set, 'SELECT 1/0', 'COMMIT'], before],
      [['BEGIN', set, 'SELEKT', 'COMMIT'], before],
      [['BEGIN', 'SAVEPOINT a', set, 'ROLLBACK TO a', 'COMMIT'], before],
      [['BEGIN', 'SAVEPOINT a', set, 'SELECT 1/0', 'ROLLBACK TO a', 'COMMIT'], before],
      [['BEGIN', set, 'SAVEPOINT a', 'SET shardway.consistency = strong', 'ROLLBACK TO a', 'COMMIT'], 'eventual'],
      [['BEGIN', 'SAVEPOINT a', set, 'RELEASE a', 'COMMIT'], 'eventual'],
      [['BEGIN', 'SAVEPOINT a', set, 'SAVEPOINT a', 'RELEASE a', 'ROLLBACK TO a', 'COMMIT'], before],
      [['BEGIN', 'SELECT name FROM items', set, 'ROLLBACK AND CHAIN', 'COMMIT'], before],
      [['BEGIN', 'SELECT name FROM items', set, 'COMMIT AND CHAIN', 'ROLLBACK'], 'eventual'],
      [['BEGIN', 'SELECT name FROM items', set, 'ROLLBACK; BEGIN', 'COMMIT'], before],
      [['BEGIN', 'SAVEPOINT a', set, 'ROLLBACK TO a; COMMIT'], before],
      [['BEGIN', set, 'SAVEPOINT a', 'ROLLBACK TO a; COMMIT'], 'eventual'],
    ] as const) {
      for (const text of texts) await one.query(text)
      expect([...texts, await shown()]).toEqual([...texts, expected])
      await one.run('RESET shardway.consistency')
    }
  })

  it('SET LOCAL shardway.* outside a block warns and does nothing', async () => {
    const messages = await one.run('SET LOCAL shardway.consistency = strong')
    expect(messages.map(({ type }) => type)).toContain('N')
    expect(await valueOf(one, 'SHOW shardway.consistency')).not.toBe('strong')
  })

  it('a SET that is rolled back beside a temporary table is gone', async () => {
    const before = await valueOf(one, 'SHOW work_mem')
    for (const end of ['ROLLBACK', 'ROLLBACK; BEGIN']) {
      await one.run('BEGIN')
      await one.run('CREATE TEMP TABLE passing (a int)')
      await one.run("SET work_mem = '77MB'")
      await one.run(end)
      expect(await valueOf(one, 'SHOW work_mem')).toBe(before)
      await one.query('ROLLBACK')
    }
  })

  const step = (sql: string): Buffer => Buffer.concat([frames.parse(sql), frames.bind(), frames.execute()])

  it('savepoints of shardway.* are those that the server has', async () => {
    const shown = async (): Promise<unknown> => await valueOf(one, 'SHOW shardway.consistency')
    const before = await shown()
    for (let i = 0; i < 3; i++) expect(errorOf(await one.query('SAVEPOINT a'))).toMatchObject({ C: '25P01' })
    await one.run('BEGIN')
    await one.run('SAVEPOINT a')
    await one.run("SET shardway.consistency = 'eventual'")
    await one.exchange(step('SELECT 1/0'), step('RELEASE a'))
    await one.query('SAVEPOINT a')
    await one.run('ROLLBACK TO a')
    await one.run('COMMIT')
    expect(await shown()).toBe(before)
    await one.run('BEGIN')
    await one.run("SET shardway.consistency = 'eventual'")
    await one.exchange(step('COMMIT'), step('SELECT 1/0'))
    expect(await shown()).toBe('eventual')
  })

  it('a SET that fails keeps no server', async () => {
    await one.query('SET "foo-bar" = 1')
    expect(await valueOf(two, 'SELECT 1')).toBe('1')
  })

  it('a setting whose name no statement of ours could hold stays with the session, and only there', async () => {
    await one.run(`SET "app.é" = 'mine'`)
    expect(await valueOf(one, `SHOW "app.é"`)).toBe('mine')
    await one.run('DISCARD ALL')
    expect(await valueOf(two, `SELECT coalesce(current_setting('app.é', true), '')`)).toBe('')
  })

  it('thousands of settings in one block hold nobody up', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => `SET app.n${i} = ${i}`)
    await one.run('BEGIN')
    await one.run(texts.join('; '))
    await one.run('SET app.n7 = again')
    await one.run('COMMIT')
    expect(await valueOf(one, 'SHOW app.n2999')).toBe('2999')
    expect(await valueOf(one, 'SHOW app.n7')).toBe('again')
    expect(await valueOf(two, "SELECT coalesce(current_setting('app.n2999', true), '')")).toBe('')
  })
})

/** Roles that may not read what was set before they were taken. */
describe('a setting that the role may not read', () => {
  it('leaks to nobody, and the session keeps it', async () => {
    const system = await startSystem({
      workers: 1,
      shards: 1,
      replicas: 0,
      oracle: false,
      schema: SCHEMA,
      sections: { pool: { default_pool_size: 2 } },
    })
    try {
      await system.cluster.everywhere('ALTER ROLE app SUPERUSER; CREATE ROLE limited; GRANT SELECT ON items TO limited')
      const one = await system.connect()
      const texts = [
        'BEGIN',
        'SELECT name FROM items',
        "SET dynamic_library_path = '/leak'",
        'SET ROLE limited',
        'COMMIT',
        'SELECT 1/0 FROM items',
      ]
      await one.exchange(...texts.map((text, i) => frames.parse(text, `s${i}`)))
      await one.exchange(...texts.flatMap((_, i) => [frames.bind({ statement: `s${i}` }), frames.execute()]))
      await one.run('RESET ROLE')
      const two = await system.connect()
      for (let i = 0; i < 3; i++)
        expect(await valueOf(two, "SELECT current_setting('dynamic_library_path')")).not.toBe('/leak')
      expect(await valueOf(one, "SELECT current_setting('dynamic_library_path')")).toBe('/leak')
      await one.end()
      const more = await Promise.all([1, 2, 3].map(async () => await system.connect()))
      for (const wire of more) {
        await wire.run('BEGIN')
        expect(await valueOf(wire, "SELECT current_setting('dynamic_library_path')")).not.toBe('/leak')
        await wire.run('COMMIT')
      }
    } finally {
      await system.stop()
    }
  })
})
