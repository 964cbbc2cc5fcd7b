import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, type Message, rowsOf, statusOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'
import type { Wire } from '../support/wire.ts'

const LOGIN = { user: 'app', password: 'app' }
const SCHEMA = 'CREATE TABLE items (id int PRIMARY KEY, n int, name text)'
const TEXT = 'SELECT n, name FROM items WHERE id = $1 AND id > 0'
const KEYS = 16
const INT4 = 23
const INT8 = 20

describe.each([1, 2])('prepared statements whose result type changes, workers=%i', workers => {
  let system: System
  let twin: Twin

  beforeAll(async () => {
    const sections = { pool: { default_pool_size: workers } }
    system = await startSystem({
      workers,
      replicas: 0,
      schema: SCHEMA,
      tables: [{ name: 'items', key: 'id' }],
      sections,
    })
    twin = await Twin.connect(system)
    for (let id = 1; id <= KEYS; id++) await twin.same(frames.query(`INSERT INTO items VALUES (${id}, ${id}, 'item')`))
    await twin.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    twin = await Twin.connect(system)
  })
  afterEach(async () => {
    system.dropClients()
    await behind('ALTER TABLE items ALTER n TYPE int')
  })

  async function behind(sql: string): Promise<void> {
    const servers = [...system.cluster.shards.map(shard => shard.primary.server), system.oracleServer]
    for (const server of servers) await server?.query(sql, [], LOGIN)
  }

  function run(name: string, id: number, describe = false): Buffer {
    const bind = frames.bind({ statement: name, parameters: [String(id)] })
    return Buffer.concat([bind, ...(describe ? [frames.describePortal()] : []), frames.execute(), frames.sync])
  }

  function prepare(name: string, text = TEXT): Buffer {
    return Buffer.concat([frames.parse(text, name), frames.describeStatement(name), frames.sync])
  }

  function typeOfN(messages: readonly Message[]): number | undefined {
    const description = messages.find(({ type }) => type === 'T')
    return description === undefined ? undefined : columnsOf(description)[0]?.type
  }

  async function exchange(wire: Wire, bytes: Buffer): Promise<Message[]> {
    wire.send(bytes)
    return await wire.until('Z')
  }

  it('a client that was told the old type gets Postgres’s error on every shard, and prepares again', async () => {
    await twin.same(prepare('a'))
    // Some keys lie on a shard where nothing was prepared before the DDL.
    await twin.same(run('a', 1))
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    for (let id = 1; id <= KEYS; id++) {
      const { proxy, oracle } = await twin.exchange(run('a', id))
      expect(errorOf(oracle)?.['M']).toBe('cached plan must not change result type')
      expect(errorOf(proxy)).toMatchObject({ C: '0A000', M: 'cached plan must not change result type' })
      expect(rowsOf(proxy)).toEqual([])
    }
    await twin.same(prepare('b'))
    for (let id = 1; id <= KEYS; id++) await twin.same(run('b', id))
    await twin.same(Buffer.concat([frames.closeStatement('a'), frames.sync]))
    await twin.same(prepare('a'))
    for (let id = 1; id <= KEYS; id++) await twin.same(run('a', id))
  })

  it('who prepares anew brings nobody else to decode by the old type', async () => {
    const other = await system.connect()
    await twin.same(prepare('a'))
    await exchange(other, prepare('mine'))
    for (let id = 1; id <= KEYS; id++) await twin.same(run('a', id))
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    await exchange(other, Buffer.concat([frames.closeStatement('mine'), frames.sync]))
    expect(typeOfN(await exchange(other, prepare('mine')))).toBe(INT8)
    for (let id = 1; id <= KEYS; id++) {
      expect(rowsOf(await exchange(other, run('mine', id)))).toEqual([[String(id), 'item']])
      expect(errorOf(await exchange(twin.proxy, run('a', id)))?.['C']).toBe('0A000')
    }
    await other.end()
  })

  it('who asks for the type in the same unit gets the rows with the new one', async () => {
    await twin.same(prepare('a'))
    for (let id = 1; id <= KEYS; id++) {
      expect(typeOfN(await exchange(twin.proxy, run('a', id, true)))).toBe(INT4)
    }
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    for (let id = 1; id <= KEYS; id++) {
      const messages = await exchange(twin.proxy, run('a', id, true))
      expect(errorOf(messages)).toBeNull()
      expect(typeOfN(messages)).toBe(INT8)
      expect(rowsOf(messages)).toEqual([[String(id), 'item']])
    }
  })

  it('Describe of the statement tells the new type, and its client may run it', async () => {
    await twin.same(prepare('a'))
    await twin.same(run('a', 1))
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    const messages = await exchange(twin.proxy, Buffer.concat([frames.describeStatement('a'), frames.sync]))
    expect(typeOfN(messages)).toBe(INT8)
    for (let id = 1; id <= KEYS; id++) {
      expect(rowsOf(await exchange(twin.proxy, run('a', id)))).toEqual([[String(id), 'item']])
    }
  })

  it('what ran before in the same unit is never undone by a second run', async () => {
    await twin.same(prepare('a'))
    await twin.same(run('a', 1))
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    const { proxy } = twin
    proxy.send(
      frames.parse(`UPDATE items SET name = 'changed' WHERE id = 1`),
      frames.bind(),
      frames.execute(),
      frames.flush,
    )
    expect((await proxy.until('C')).map(({ type }) => type).join('')).toBe('12C')
    const messages = await exchange(proxy, run('a', 1, true))
    expect(errorOf(messages)?.['C']).toBe('0A000')
    expect(rowsOf(await proxy.run('SELECT name FROM items WHERE id = 1'))).toEqual([['item']])
  })

  it('a name prepared again at the start of a block is answered at once', async () => {
    for (let round = 0; round < 3; round++) {
      await twin.same(frames.query('BEGIN'))
      await twin.same(prepare('again'))
      await twin.same(Buffer.concat([frames.closeStatement('again'), frames.sync]))
      await twin.same(frames.query('ROLLBACK'))
    }
  })

  it('inside a block the error stays, and fails the block', async () => {
    await twin.same(prepare('a'))
    await twin.same(run('a', 1))
    await twin.same(frames.query('BEGIN'))
    await twin.same(run('a', 1))
    await twin.same(frames.query('COMMIT'))
    await behind('ALTER TABLE items ALTER n TYPE bigint')
    await twin.same(frames.query('BEGIN'))
    const { proxy } = await twin.exchange(run('a', 1, true))
    expect(errorOf(proxy)?.['C']).toBe('0A000')
    expect(statusOf(proxy)).toBe('E')
    await twin.same(frames.query('SELECT 1'))
    await twin.same(frames.query('ROLLBACK'))
  })
})
