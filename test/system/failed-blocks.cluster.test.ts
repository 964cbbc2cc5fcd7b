import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const SCHEMA = 'CREATE TABLE items (id bigint PRIMARY KEY, name text)'
const KEYS = 16

/** What follows the end of a failure runs on the shard of its key, or nowhere. */
describe.each([1, 2])('blocks that have failed, over two shards, workers=%i', workers => {
  let system: System
  let wire: Wire
  /** A key of each shard. */
  const keys = new Map<string, number>()

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, schema: SCHEMA, tables: [{ name: 'items', key: 'id' }] })
    const loader = await system.connect()
    for (let id = 1; id <= KEYS; id++) {
      await loader.run(`INSERT INTO items VALUES (${id}, 'item')`)
      keys.set((await valueOf(loader, `SELECT inet_server_port() FROM items WHERE id = ${id}`)) ?? '', id)
    }
    expect(keys.size).toBe(2)
    await loader.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    wire = await system.connect()
    for (const id of keys.values()) await wire.run(`UPDATE items SET name = 'item' WHERE id = ${id}`)
  })
  afterEach(() => {
    system.dropClients()
  })

  const [first, second] = [() => [...keys.values()][0] ?? 0, () => [...keys.values()][1] ?? 0]

  /** Every row lies where its key belongs: read by key, and counted on each shard. */
  async function rowsOnShards(): Promise<number> {
    let count = 0
    for (const { primary } of system.cluster.shards) {
      const { rows } = await primary.server.query('SELECT id FROM items')
      count += rows.length
    }
    let found = 0
    for (let id = 1; id <= KEYS; id++) found += rowsOf(await wire.run(`SELECT FROM items WHERE id = ${id}`)).length
    expect(found).toBe(count)
    return count
  }

  async function fail(): Promise<void> {
    await wire.run('BEGIN')
    await wire.run('SAVEPOINT a')
    expect(errorOf(await wire.query(`SELECT 1/0 FROM items WHERE id = ${first()}`))).toMatchObject({ C: '22012' })
  }

  it('ROLLBACK and a write to another shard in one text, or one batch', async () => {
    for (const end of ['ROLLBACK', 'ROLLBACK TO a', 'COMMIT']) {
      await fail()
      await wire.query(`DELETE FROM items WHERE id = ${second()}`)
      const simple = await wire.query(`${end}; DELETE FROM items WHERE id = ${second()}`)
      expect(errorOf(simple)).not.toBeNull()
      await wire.query('ROLLBACK')
      await fail()
      const batch = await wire.exchange(
        frames.parse(end),
        frames.bind(),
        frames.execute(),
        frames.parse(`DELETE FROM items WHERE id = ${second()}`),
        frames.bind(),
        frames.execute(),
      )
      expect(errorOf(batch)).toMatchObject({ C: '0A000' })
      await wire.query('ROLLBACK')
      expect(await rowsOnShards()).toBe(KEYS)
    }
  })

  it('ROLLBACK TO and a write to its own shard stay there', async () => {
    await fail()
    const text = `ROLLBACK TO a; UPDATE items SET name = 'kept' WHERE id = ${first()}`
    expect(errorOf(await wire.query(text))).toBeNull()
    // The block has written: it may not move any more.
    expect(errorOf(await wire.query(`UPDATE items SET name = 'too' WHERE id = ${second()}`))).toMatchObject({
      C: '0A000',
    })
    await wire.run('ROLLBACK TO a')
    await wire.run('COMMIT')
    await fail()
    expect(errorOf(await wire.query(text))).toBeNull()
    await wire.run('COMMIT')
    expect(await valueOf(wire, `SELECT name FROM items WHERE id = ${first()}`)).toBe('kept')
  })

  it('in a block that the proxy itself has failed nothing behind ROLLBACK is answered without being run', async () => {
    for (const text of [`INSERT INTO items VALUES (${KEYS + 1}, 'x')`, "SET app.x = 'y'"]) {
      await wire.run('BEGIN')
      expect(errorOf(await wire.query('SELEKT'))).toMatchObject({ C: '42601' })
      const messages = await wire.exchange(
        frames.parse('ROLLBACK'),
        frames.bind(),
        frames.execute(),
        frames.parse(text),
        frames.bind(),
        frames.execute(),
      )
      expect(errorOf(messages)).toMatchObject({ C: '0A000' })
      expect(tagsOf(messages)).toEqual(['ROLLBACK'])
      expect(statusOf(messages)).toBe('I')
    }
    expect(await rowsOnShards()).toBe(KEYS)
  })

  const run = (text: string): Buffer => Buffer.concat([frames.parse(text), frames.bind(), frames.execute()])

  it('a block that a part of a batch has led out of its failure is fixed to where that batch wrote', async () => {
    let written = 0
    for (const id of [KEYS + 1, KEYS + 2, KEYS + 3, KEYS + 4]) {
      await wire.run('BEGIN')
      await wire.run('SAVEPOINT a')
      expect(errorOf(await wire.query("SET LOCAL work_mem = 'foo'"))).toMatchObject({ C: '22023' })
      wire.send(run('ROLLBACK TO a'), frames.flush)
      await wire.until('C')
      const insert = await wire.exchange(run(`INSERT INTO items VALUES (${id}, 'x')`))
      if (errorOf(insert) === null) {
        written++
        for (const key of keys.values()) await wire.query(`SELECT name FROM items WHERE id = ${key}`)
        const committed = tagsOf(await wire.query('COMMIT')).includes('COMMIT')
        const found = rowsOf(await wire.run(`SELECT name FROM items WHERE id = ${id}`))
        expect(found).toEqual(committed ? [['x']] : [])
        if (committed) await wire.run(`DELETE FROM items WHERE id = ${id}`)
      } else {
        expect(errorOf(insert)).toMatchObject({ C: '0A000' })
        await wire.run('ROLLBACK')
      }
    }
    expect(written).toBeGreaterThan(0)
    expect(await rowsOnShards()).toBe(KEYS)
  })

  it('behind the end of the failure, in a later part of the batch, what is known is prepared and run again', async () => {
    await wire.exchange(frames.parse('SELECT 41', 'first'), frames.bind({ statement: 'first' }), frames.execute())
    await fail()
    wire.send(run('ROLLBACK'), frames.flush)
    await wire.until('C')
    const messages = await wire.exchange(
      frames.parse('SELECT 41', 'second'),
      frames.bind({ statement: 'second' }),
      frames.execute(),
    )
    expect(errorOf(messages)).toBeNull()
    expect(rowsOf(messages)).toEqual([['41']])
  })

  it('a later part of a batch that ends no failure is answered as the block is', async () => {
    await wire.exchange(frames.parse('SELECT name FROM items WHERE id = $1', 'k'))
    await fail()
    wire.send(frames.closeStatement('nobody'), frames.flush)
    await wire.until('3')
    for (const key of [second(), first()]) {
      const messages = await wire.exchange(frames.bind({ statement: 'k', parameters: [String(key)] }), frames.execute())
      expect(errorOf(messages)).toMatchObject({ C: '25P02' })
    }
    await wire.run('ROLLBACK')
  })

  it('a ROLLBACK TO that failed is not run again where the block moves to', async () => {
    for (const key of keys.values()) {
      await wire.run('BEGIN')
      await wire.run('SAVEPOINT a')
      expect(errorOf(await wire.query("SET LOCAL work_mem = 'foo'"))).toMatchObject({ C: '22023' })
      expect(errorOf(await wire.query('ROLLBACK TO b'))).toMatchObject({ C: '3B001' })
      await wire.run('ROLLBACK TO a')
      expect(rowsOf(await wire.run(`SELECT name FROM items WHERE id = ${key}`))).toEqual([['item']])
      await wire.run('COMMIT')
    }
  })

  it('behind its end nothing is described that no server has looked at', async () => {
    for (const asked of [
      frames.describeStatement('s1'),
      Buffer.concat([frames.bind({ statement: 's1', parameters: ['1'] }), frames.describePortal()]),
    ]) {
      await wire.run('BEGIN')
      expect(errorOf(await wire.query('SELEKT'))).toMatchObject({ C: '42601' })
      const messages = await wire.exchange(
        run('ROLLBACK'),
        frames.parse('SELECT * FROM items WHERE id = $1', 's1'),
        asked,
      )
      expect(errorOf(messages)).toMatchObject({ C: '0A000' })
      expect(statusOf(messages)).toBe('I')
    }
  })

  it('a LISTEN that is refused listens to nothing', async () => {
    const other = await system.connect()
    for (const failing of ['SELEKT', 'SELECT 1/0']) {
      await wire.run('BEGIN')
      expect(errorOf(await wire.query(failing))).not.toBeNull()
      expect(errorOf(await wire.query('LISTEN refused'))).not.toBeNull()
      await wire.run('ROLLBACK')
    }
    // Behind the end of a block in the same batch it is refused, not answered.
    await wire.run('BEGIN')
    expect(errorOf(await wire.query('SELEKT'))).not.toBeNull()
    expect(errorOf(await wire.exchange(run('ROLLBACK'), run('LISTEN refused')))).toMatchObject({ C: '0A000' })
    await wire.run('LISTEN wanted')
    await other.run('NOTIFY refused')
    await other.run('NOTIFY wanted')
    const message = await wire.next()
    expect(message.type).toBe('A')
    expect(message.body.toString()).toContain('wanted')
  })

  it('names a savepoint as Postgres does', async () => {
    for (const [text, name] of [
      ['ROLLBACK TO SAVEPOINT Upper', 'upper'],
      ['/* why */ ROLLBACK WORK TO "Two Words"', 'Two Words'],
    ]) {
      await wire.run('BEGIN')
      expect(errorOf(await wire.query('SELEKT'))).not.toBeNull()
      expect(errorOf(await wire.query(text ?? ''))).toMatchObject({
        C: '3B001',
        M: `savepoint "${name}" does not exist`,
      })
      await wire.run('ROLLBACK')
    }
  })
})

describe.each([1, 2])('settings that a failed statement named, on one shard, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0, oracle: false, schema: SCHEMA, tables: [] })
  })
  afterAll(async () => {
    await system.stop()
  })

  it('do not end the session', async () => {
    const wire = await system.connect()
    await wire.run('BEGIN')
    await wire.run("SET LOCAL work_mem = '3MB'")
    await wire.run('SAVEPOINT a')
    for (const sql of ['SET serach_path = x', "SET session_preload_libraries = 'x'", 'SET transaction_timeout_x = 1']) {
      expect(errorOf(await wire.query(sql))).not.toBeNull()
      await wire.run('ROLLBACK TO a')
      expect(await valueOf(wire, 'SHOW work_mem')).toBe('3MB')
    }
    expect(errorOf(await wire.query("SET work_mem = '6MB'; SELECT 1/0"))).toMatchObject({ C: '22012' })
    await wire.run('ROLLBACK AND CHAIN')
    expect(await valueOf(wire, 'SHOW work_mem')).not.toBe('3MB')
    await wire.run('COMMIT')
    expect(errorOf(await wire.query("SET session_preload_libraries = 'x'"))).toMatchObject({ C: '42501' })
    expect(errorOf(await wire.query('SET nothing_like_it = 1'))).toMatchObject({ C: '42704' })
    expect(await valueOf(wire, 'SELECT 1')).toBe('1')
    await wire.end()
  })
})
