import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text, n int DEFAULT 1);
CREATE SCHEMA app;
`
const TABLES = [{ name: 'items', key: 'id' }]
const KEYS = 16

describe.each([1, 2])('batches and statements over two shards, workers=%i', workers => {
  let system: System
  let twin: Twin

  beforeAll(async () => {
    system = await startSystem({ workers, schema: SCHEMA, tables: TABLES })
    const loader = await Twin.connect(system)
    for (let id = 1; id <= KEYS; id++) await loader.same(frames.query(`INSERT INTO items VALUES (${id}, 'item ${id}')`))
    await loader.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    twin = await Twin.connect(system)
  })
  afterEach(() => {
    system.dropClients()
  })

  function run(name: string, ...parameters: string[]): Buffer {
    return Buffer.concat([frames.bind({ statement: name, parameters }), frames.execute()])
  }

  it('a batch that comes to a second shard ends there, and nothing of it stays', async () => {
    const { proxy } = twin
    await proxy.exchange(frames.parse('UPDATE items SET n = n + 1 WHERE id = $1', 'add'))
    let refused = 0
    for (let id = 2; id <= KEYS; id++) {
      const messages = await proxy.exchange(run('add', '1'), run('add', String(id)))
      const error = errorOf(messages)
      expect(statusOf(messages)).toBe('I')
      expect(tagsOf(messages)).toEqual(error === null ? ['UPDATE 1', 'UPDATE 1'] : ['UPDATE 1'])
      if (error === null) continue
      expect(error['C']).toBe('0A000')
      refused++
    }
    expect(refused).toBeGreaterThan(0)
    expect(rowsOf(await proxy.run('SELECT n FROM items WHERE id = 1'))).toEqual([[String(KEYS - refused)]])
    // As the oracle has them, for the tests behind this one.
    for (let id = 1; id <= KEYS; id++) await proxy.run(`UPDATE items SET n = 1 WHERE id = ${id}`)
  })

  it('in a failed block nothing is prepared, not even what the server has', async () => {
    const text = 'SELECT name FROM items WHERE id = 3'
    await twin.same(Buffer.concat([frames.parse(text, 'known'), frames.sync]))
    await twin.same(Buffer.concat([run('known'), frames.sync]))
    await twin.same(frames.query(`PREPARE sql_known AS ${text}`))
    await twin.same(frames.query('EXECUTE sql_known'))
    await twin.same(frames.query('BEGIN; SELECT 1/0 FROM items WHERE id = 3'))
    for (const bytes of [
      Buffer.concat([frames.parse(text, 'again'), frames.sync]),
      Buffer.concat([frames.parse(text, 'again'), run('again'), frames.sync]),
      frames.query(`PREPARE again AS ${text}`),
      frames.query('EXECUTE sql_known'),
      frames.query('EXECUTE nobody'),
      frames.query('DEALLOCATE nobody'),
      Buffer.concat([run('nobody'), frames.sync]),
      Buffer.concat([frames.parse('EXECUTE nobody'), frames.sync]),
      Buffer.concat([frames.parse('', 'empty'), frames.bind({ statement: 'empty' }), frames.execute(), frames.sync]),
    ])
      await twin.same(bytes)
    await twin.same(Buffer.concat([frames.parse(text, 'again'), frames.flush]), 'E')
    await twin.same(frames.sync)
    const end = [frames.parse('ROLLBACK'), frames.bind(), frames.execute()]
    await twin.same(Buffer.concat([...end, frames.parse(text, 'again'), run('again'), frames.sync]))
    await twin.same(Buffer.concat([run('known'), run('again'), frames.sync]))
  })

  it('units sent at once are answered in their order, each seeing those before it', async () => {
    const unit = (id: number, round: number): Buffer =>
      Buffer.concat([
        frames.query(`UPDATE items SET name = 'round ${round}' WHERE id = ${id}`),
        frames.query(`SELECT name FROM items WHERE id = ${id}`),
        frames.parse('SELECT name, n FROM items WHERE id = $1'),
        frames.bind({ parameters: [String(id)] }),
        frames.execute(),
        frames.sync,
      ])
    for (let round = 0; round < 5; round++) {
      const all = Array.from({ length: KEYS }, (_, i) => unit(i + 1, round))
      await twin.same(Buffer.concat(all), 'Z', 3 * KEYS)
    }
  })

  it('a statement keeps the meaning that it had at its Parse, on whichever shard it runs', async () => {
    await twin.same(frames.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO'`))
    const text = `SELECT id, timestamptz '2020-01-01 00:00' FROM items WHERE id = $1`
    await twin.same(Buffer.concat([frames.parse(text, 'dated'), frames.sync]))
    await twin.same(frames.query(`SET TimeZone = 'Asia/Tokyo'`))
    for (let id = 1; id <= KEYS; id++) await twin.same(Buffer.concat([run('dated', String(id)), frames.sync]))
    await twin.same(Buffer.concat([frames.parse(text, 'later'), frames.sync]))
    for (let id = 1; id <= KEYS; id++) await twin.same(Buffer.concat([run('later', String(id)), frames.sync]))
    for (let id = 1; id <= KEYS; id++) await twin.same(Buffer.concat([run('dated', String(id)), frames.sync]))
  })

  it('names are looked for where the server would', async () => {
    await twin.same(frames.query('SET search_path = app, public'))
    await twin.same(frames.query('SELECT name FROM items WHERE id = 3'))
    await twin.same(frames.query('SET search_path = app'))
    // The declared table is not in the path: were it asked for by this name it would be another one.
    const { proxy, oracle } = await twin.exchange(frames.query('SELECT name FROM items WHERE id = 3'))
    expect(errorOf(oracle)?.['C']).toBe('42P01')
    expect(errorOf(proxy)?.['C']).toMatch(/^(42P01|0A000)$/)
    await twin.same(frames.query('SELECT name FROM public.items WHERE id = 3'))
    await twin.same(frames.query('RESET search_path'))
    await twin.same(frames.query('SELECT name FROM items WHERE id = 3'))
  })

  it('RETURNING and conflicts give the new values', async () => {
    for (let id = 1; id <= 4; id++) {
      await twin.same(frames.query(`UPDATE items SET n = n + 1, name = name || '!' WHERE id = ${id} RETURNING *`))
      const upsert = `INSERT INTO items (id, name) VALUES (${id}, 'x') ON CONFLICT (id) DO UPDATE SET n = items.n + 10 RETURNING id, n`
      await twin.same(frames.query(upsert))
      await twin.same(frames.query(`DELETE FROM items WHERE id = ${100 + id} RETURNING id`))
    }
  })

  it('an error in the middle of a batch undoes it and leaves the session as it was', async () => {
    const unit = [
      frames.parse('UPDATE items SET n = 99 WHERE id = $1', 'a'),
      run('a', '5'),
      frames.parse('SELECT 1 / $1::int FROM items WHERE id = 5', 'b'),
      run('b', '0'),
      run('a', '5'),
      frames.sync,
    ]
    await twin.same(Buffer.concat(unit))
    await twin.same(frames.query('SELECT n FROM items WHERE id = 5'))
    // Both names were made before the error, and stay.
    await twin.same(Buffer.concat([run('b', '1'), frames.sync]))
    await twin.same(Buffer.concat([run('a', '5'), frames.sync]))
  })
})
