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

  it('SET LOCAL shardway.* outside a block warns and does nothing', async () => {
    const messages = await one.run('SET LOCAL shardway.consistency = strong')
    expect(messages.map(({ type }) => type)).toContain('N')
    expect(await valueOf(one, 'SHOW shardway.consistency')).not.toBe('strong')
  })
})
