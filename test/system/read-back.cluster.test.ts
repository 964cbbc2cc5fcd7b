import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, rowsOf, statusOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

const SCHEMA = 'CREATE TABLE items (id int PRIMARY KEY, name text)'

/** What the proxy asks a server behind a client's back may cost the client nothing. */
describe.each([
  [1, 1],
  [2, 2],
])('reading back what a session changed, workers=%i, shards=%i', (workers, shards) => {
  let system: System
  let wire: Wire

  beforeAll(async () => {
    system = await startSystem({
      workers,
      oracle: false,
      shards,
      schema: SCHEMA,
      tables: [{ name: 'items', key: 'id' }],
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    wire = await system.connect()
  })
  afterEach(() => {
    system.dropClients()
  })

  it('SET LOCAL before SET TRANSACTION: no snapshot was taken between them', async () => {
    await wire.run('BEGIN')
    await wire.run("SET LOCAL work_mem = '3MB'")
    await wire.run("SET LOCAL app.tenant = 'seven'")
    await wire.run('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')
    expect(rowsOf(await wire.run('SELECT name FROM items WHERE id = 1'))).toEqual([])
    expect(await valueOf(wire, 'SHOW transaction_isolation')).toBe('serializable')
    expect(await valueOf(wire, 'SHOW work_mem')).toBe('3MB')
    expect(await valueOf(wire, 'SHOW app.tenant')).toBe('seven')
    await wire.run('COMMIT')
    expect(await valueOf(wire, 'SHOW work_mem')).not.toBe('3MB')
  })

  it('settings that never existed, reset inside a block', async () => {
    await wire.run('BEGIN')
    const messages = await wire.query('RESET nobody.knows_it')
    expect(statusOf(messages)).toBe(errorOf(messages) === null ? 'T' : 'E')
    await wire.run('ROLLBACK')
    expect(await valueOf(wire, 'SELECT 1')).toBe('1')
  })

  it('the session’s own statement_timeout ends statements, never the session', async () => {
    let cancelled = 0
    for (let i = 0; i < 60; i++) {
      // Takes the lock, then as long as the timeout leaves.
      for (const sql of [
        'SET statement_timeout = 1',
        `SELECT pg_advisory_lock(${i}), count(*) FROM generate_series(1, ${i * 100})`,
        `SELECT set_config('work_mem', '${64 + i}MB', false)`,
        'SELECT pg_advisory_unlock_all()',
      ]) {
        const messages = await wire.query(sql)
        const error = errorOf(messages)
        expect(statusOf(messages)).toBe('I')
        if (error === null) continue
        expect(error).toMatchObject({ S: 'ERROR', C: '57014' })
        cancelled++
      }
    }
    expect(cancelled).toBeLessThan(240)
  })

  it('inside a block the timeout is the block’s failure', async () => {
    for (let i = 0; i < 60; i++) {
      const failed: boolean[] = []
      for (const sql of ['BEGIN', 'SET LOCAL statement_timeout = 1', `SET LOCAL app.round = '${i}'`, 'SELECT 1']) {
        const messages = await wire.query(sql)
        const error = errorOf(messages)
        if (error !== null) expect(['57014', '25P02']).toContain(error['C'])
        failed.push(statusOf(messages) === 'E')
      }
      // Once failed it stays so until the end.
      expect(failed.slice(failed.indexOf(true)).every(Boolean) || !failed.includes(true)).toBe(true)
      // It may run out of time as well.
      for (let end = await wire.query('ROLLBACK'); statusOf(end) !== 'I'; end = await wire.query('ROLLBACK')) {
        expect(errorOf(end)).toMatchObject({ C: '57014' })
      }
    }
  })
})

describe.each([1, 2])('a session that was refused something, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, schema: SCHEMA, tables: [{ name: 'items', key: 'id' }] })
  })
  afterAll(async () => {
    await system.stop()
  })

  async function serversInUse(): Promise<number> {
    const console = await system.console()
    const messages = await console.run('SHOW SERVERS')
    const description = messages.find(({ type }) => type === 'T')
    const state = description === undefined ? -1 : columnsOf(description).findIndex(({ name }) => name === 'state')
    await console.end()
    return rowsOf(messages).filter(row => row[state] === 'active').length
  }

  it('in an unfinished batch gives its server back with the Sync', async () => {
    const wire = await system.connect()
    const before = await serversInUse()
    wire.send(
      frames.parse('SELECT name FROM items WHERE id = 1'),
      frames.bind(),
      frames.execute(),
      frames.parse('LISTEN news'),
      frames.bind(),
      frames.execute(),
      frames.flush,
    )
    for (;;) if ((await wire.next()).type === 'E') break
    await wire.exchange(frames.sync)
    expect(await serversInUse()).toBe(before)
    await wire.end()
  })

  it('keeps no hint of a block that is over', async () => {
    const wire = await system.connect()
    await wire.run('BEGIN')
    await wire.run('SET LOCAL shardway.shard = s1')
    expect(await valueOf(wire, 'SELECT count(*) FROM items')).toBe('0')
    await wire.run('COMMIT')
    const messages = await wire.query('TRUNCATE items')
    expect(errorOf(messages)).toMatchObject({ C: '0A000' })
    await wire.end()
  })
})
