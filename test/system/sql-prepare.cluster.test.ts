import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const SCHEMA = `
CREATE TABLE items (id bigint PRIMARY KEY, name text, n int DEFAULT 1);
CREATE TABLE kinds (id int PRIMARY KEY, title text);
`
const TABLES = [
  { name: 'items', key: 'id' },
  { name: 'kinds', reference: true },
]
const KEYS = 12

/** SQL-level PREPARE, EXECUTE and DEALLOCATE over two shards, beside one Postgres that holds all. */
describe.each([1, 2])('SQL-level prepared statements over two shards, workers=%i', workers => {
  let system: System
  let twin: Twin
  const same = (sql: string): Promise<unknown> => twin.same(frames.query(sql))

  beforeAll(async () => {
    system = await startSystem({ workers, schema: SCHEMA, tables: TABLES })
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

  it('each goes to the shard of its key, as often as it likes', async () => {
    await same(
      'PREPARE put (bigint, text) AS INSERT INTO items VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = items.n + 1',
    )
    await same('PREPARE get AS SELECT id, name, n FROM items WHERE id = $1')
    for (let round = 0; round < 3; round++) {
      for (let id = 1; id <= KEYS; id++) {
        await same(`EXECUTE put(${id}, 'item ''${id}''')`)
        await same(`EXECUTE get(${id})`)
        await same(`/* a comment */ execute  "get" ('${id}') ;`)
      }
    }
    await same('EXECUTE get(NULL)')
    await same('EXECUTE get(0)')
    await same(`; EXECUTE get(3)`)
    await same('EXECUTE get(-1)')
    await same(`EXECUTE put(100, 'made'::text)`)
    await same('EXECUTE get(100)')
  })

  it('names are the session’s: twice, unknown, and gone', async () => {
    const { proxy } = twin
    await same('EXECUTE nothing(1)')
    await same('PREPARE a AS SELECT 1')
    await same('PREPARE a AS SELECT 2')
    await same('EXECUTE a')
    await same('DEALLOCATE a')
    await same('EXECUTE a')
    await same('PREPARE a AS SELECT 3')
    await same('DEALLOCATE ALL')
    await same('DEALLOCATE a')
    const other = await system.connect()
    await proxy.run('PREPARE mine AS SELECT 4')
    expect(errorOf(await other.query('EXECUTE mine'))).toMatchObject({ C: '26000' })
  })

  it('errors are those of Postgres, and leave no name behind', async () => {
    for (const text of ['SELECT nothing FROM items WHERE id = $1', 'SELECT FROM nowhere', 'SELECT $1 +']) {
      await same(`PREPARE bad AS ${text}`)
      expect(errorOf(await twin.proxy.query('EXECUTE bad(1)'))).toMatchObject({ C: '26000' })
    }
    await same('PREPARE two (int, int) AS SELECT $1 + $2')
    for (const sql of ['EXECUTE two', 'EXECUTE two(1)', 'EXECUTE two(1, 2, 3)', 'EXECUTE two(1, 2)']) await same(sql)
    await same("EXECUTE two('x', 2)")
    await same('PREPARE div AS SELECT 1 / $1::int')
    await same('EXECUTE div(0)')
    await same('EXECUTE div(1)')
  })

  it('in blocks: prepared before, inside, and after an error', async () => {
    await same('BEGIN')
    await same('PREPARE inside AS SELECT name FROM items WHERE id = $1')
    await same('EXECUTE inside(2)')
    await same('SAVEPOINT a')
    await same('PREPARE late AS SELECT 1 / 0')
    await same('EXECUTE late')
    await same('PREPARE never AS SELECT 1')
    await same('EXECUTE inside(2)')
    await same('ROLLBACK TO a')
    await same('EXECUTE inside(2)')
    await same('COMMIT')
    await same('EXECUTE inside(3)')
    await same('BEGIN')
    await same('PREPARE bad AS SELECT FROM nowhere')
    await same('ROLLBACK')
  })

  it('means what it meant under the settings that it was prepared with', async () => {
    await same("SET TimeZone = 'Asia/Tokyo'")
    await same(
      "PREPARE at AS SELECT timestamptz '2020-01-01 00:00' AT TIME ZONE 'UTC', $1::text, id FROM items WHERE id = $2",
    )
    await same("SET TimeZone = 'UTC'")
    for (let id = 1; id <= KEYS; id++) await same(`EXECUTE at('x', ${id})`)
  })

  it('the protocol’s Bind runs it, and SQL runs the protocol’s', async () => {
    await same('PREPARE shared_name AS SELECT name FROM items WHERE id = $1')
    await twin.same(
      Buffer.concat([frames.bind({ statement: 'shared_name', parameters: ['4'] }), frames.execute(), frames.sync]),
    )
    await twin.same(Buffer.concat([frames.parse('SELECT n FROM items WHERE id = $1', 'parsed'), frames.sync]))
    await same('EXECUTE parsed(4)')
    await twin.same(Buffer.concat([frames.closeStatement('shared_name'), frames.sync]))
    await same('EXECUTE shared_name(4)')
  })

  it('a hint belongs into the prepared text', async () => {
    const { proxy } = twin
    await proxy.run('PREPARE hinted AS /* shardway: shard=s1 */ SELECT count(*) FROM items')
    const count = await valueOf(proxy, 'EXECUTE hinted')
    expect(count).toBe(await valueOf(proxy, '/* shardway: shard=s1 */ SELECT count(*) FROM items'))
    const outside = await proxy.query('/* shardway: shard=s1 */ EXECUTE hinted')
    expect(errorOf(outside)).toMatchObject({ C: '0A000' })
  })

  it('refuses bytes that are no UTF-8, which would be stored as others', async () => {
    const { proxy } = twin
    const bytes = frames.query("PREPARE broken AS SELECT '?'")
    bytes[bytes.indexOf('?')] = 0xff
    proxy.send(bytes)
    expect(errorOf(await proxy.until('Z'))).toMatchObject({ C: '0A000' })
    expect(errorOf(await proxy.query('EXECUTE broken'))).toMatchObject({ C: '26000' })
    await same("PREPARE whole AS SELECT 'äß€😀'")
    await same('EXECUTE whole')
  })

  it('refuses what it cannot send to one shard', async () => {
    const { proxy } = twin
    await proxy.run('PREPARE keyed AS SELECT name FROM items WHERE id = $1')
    for (const sql of [
      'PREPARE all_rows AS SELECT count(*) FROM items',
      'EXECUTE keyed(1 + 1)',
      // Rounded, or printed anew, on the way to the parameter's type.
      'EXECUTE keyed(5.0)',
      'EXECUTE keyed(1e3)',
      'EXECUTE keyed(.5)',
      'EXECUTE keyed(1::bigint)',
      "EXECUTE keyed(set_config('work_mem', '64', false))",
      'EXECUTE keyed(pg_advisory_lock(5))',
      'EXPLAIN EXECUTE keyed(1)',
      'CREATE TEMP TABLE t AS EXECUTE keyed(1)',
      'EXECUTE keyed(1); SELECT 1',
      'PREPARE other AS SELECT 1; SELECT 2',
      'PREPARE typed (items) AS SELECT $1',
    ]) {
      const messages = await proxy.query(sql)
      expect(errorOf(messages), sql).toMatchObject({ C: '0A000' })
      expect(statusOf(messages)).toBe('I')
    }
    const parsed = await proxy.exchange(frames.parse('EXECUTE keyed(1)'), frames.bind(), frames.execute())
    expect(errorOf(parsed)).toMatchObject({ C: '0A000' })
    expect(tagsOf(await proxy.run('EXECUTE keyed(1)'))).toEqual(['SELECT 1'])
    expect(rowsOf(await proxy.run('SELECT 1'))).toEqual([['1']])
  })
})
