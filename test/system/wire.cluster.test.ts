import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COPY_EXCHANGES } from '../support/copy-exchanges.ts'
import type { Exchange } from '../support/exchange.ts'
import { EXTENDED_EXCHANGES } from '../support/extended-exchanges.ts'
import { ONE_SHARD_EXCHANGES, SIMPLE_EXCHANGES } from '../support/simple-exchanges.ts'
import { frames } from '../support/frames.ts'
import { errorOf, type Message, rowsOf, type Shown, show, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'
import { Wire } from '../support/wire.ts'

const LARGE_BYTES = 8 * 1024 * 1024

/** At each offset, or at every n-th where there would be very many. */
function offsets(bytes: Buffer): number[] {
  const every = Math.ceil(bytes.length / 250)
  return Array.from({ length: Math.ceil((bytes.length - 1) / every) }, (_, i) => 1 + i * every)
}

describe.each([
  [1, 2],
  [2, 2],
  [2, 1],
])('the wire, workers=%i, shards=%i', (workers, shards) => {
  const exchanges = [
    ...SIMPLE_EXCHANGES,
    ...EXTENDED_EXCHANGES,
    ...COPY_EXCHANGES,
    ...(shards === 1 ? ONE_SHARD_EXCHANGES : []),
  ]
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards })
    const twin = await Twin.connect(system)
    for (let id = 1; id <= 6; id++) {
      await twin.same(frames.query(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`))
      for (let order = 1; order <= 5; order++) {
        await twin.same(frames.query(`INSERT INTO orders VALUES (${id}, ${order}, ${order}.50)`))
      }
    }
    await twin.end()
  })
  afterAll(async () => {
    await system.stop()
  })

  it('the login brings the same messages', async () => {
    const login = async (
      wire: Wire,
      options: { user: string; password: string; database: string },
    ): Promise<Shown[]> => {
      const messages = await wire.login({
        host: '',
        port: 0,
        ...options,
        parameters: { application_name: 'wire test' },
      })
      const shown = messages.filter(({ type }) => type !== 'R').map(message => show(message))
      const authentication = messages
        .filter(({ type }) => type === 'R')
        .map(({ body }): Shown => ['R', body.readInt32BE(0)])
      const rank = ([name]: Shown): string => name
      return [
        ...authentication,
        ...shown.sort((a, b) => (rank(a) + JSON.stringify(a) < rank(b) + JSON.stringify(b) ? -1 : 1)),
      ]
    }
    const options = { user: 'app', password: 'app', database: 'app' }
    const proxy = await system.open()
    const oracle = await Wire.open(system.oracleServer ?? { host: '', port: 0 })
    const expected = await login(oracle, options)
    expect(await login(proxy, options)).toEqual(expected)
    oracle.destroy()
  })

  describe.each(exchanges)('$name', exchange => {
    it('is answered as the oracle answers', async () => {
      const twin = await Twin.connect(system)
      for (const { bytes, type, count } of exchange.steps) await twin.same(bytes, type, count)
      // The session is as good as new, and so is the way to every shard.
      for (let id = 1; id <= 6; id++) await twin.same(frames.query(`SELECT name FROM customers WHERE id = ${id}`))
      await twin.end()
    })
  })

  it('every exchange, split at every byte', { timeout: 300_000 }, async () => {
    for (const exchange of exchanges) await splitEverywhere(exchange)
  })

  async function splitEverywhere(exchange: Exchange): Promise<void> {
    const wire = await system.connect()
    const types = await system.typeNames('proxy')
    const answers = async (send: (bytes: Buffer, index: number) => Promise<void> | void): Promise<Shown[]> => {
      const all: Shown[] = []
      for (const [index, { bytes, type, count }] of exchange.steps.entries()) {
        await send(bytes, index)
        all.push(...(await wire.until(type, count)).map(message => show(message, types)))
      }
      return all
    }
    const expected = await answers(bytes => wire.send(bytes))
    for (const [split, { bytes: whole }] of exchange.steps.entries()) {
      for (const offset of offsets(whole)) {
        const got = await answers((bytes, index) =>
          index === split ? wire.sendSplit(bytes, offset) : wire.send(bytes),
        )
        expect(got, `${exchange.name}: step ${split} split at ${offset}`).toEqual(expected)
      }
    }
    await wire.end()
  }

  it('a name in a batch that was refused can be used again', async () => {
    const keys = await keysOfBothShards()
    const wire = await system.connect()
    const sql = 'SELECT name FROM customers WHERE id = $1'
    const run = (name: string, key: string): Buffer =>
      Buffer.concat([frames.parse(sql, name), frames.bind({ statement: name, parameters: [key] }), frames.execute()])
    await wire.run(`BEGIN; SELECT name FROM customers WHERE id = ${keys[0]} FOR UPDATE`)
    const refused = await wire.exchange(run('mine', keys[1]))
    expect(errorOf(refused)?.['C']).toBe(shards === 1 ? undefined : '0A000')
    await wire.query('ROLLBACK')
    if (shards === 1) await wire.exchange(frames.closeStatement('mine'))
    expect(rowsOf(await wire.exchange(run('mine', keys[1])))).toEqual([[`customer ${keys[1]}`]])
    await wire.end()
  })

  /** Two of the customers, on different shards where there are several. */
  async function keysOfBothShards(): Promise<readonly [string, string]> {
    const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
    const { rows } = await primary.server.query('SELECT id FROM customers ORDER BY id')
    const here = rows.map((row: { id: string }) => row.id)
    const elsewhere = ['1', '2', '3', '4', '5', '6'].find(id => !here.includes(id))
    return [here[0] ?? '1', elsewhere ?? here[1] ?? '2']
  }

  it('a simple query inside a batch is refused in clear words', async () => {
    const wire = await system.connect()
    wire.send(frames.parse('SELECT 1'), frames.bind(), frames.query('SELECT 2'))
    const messages = await wire.rest()
    expect(errorOf(messages)?.['C']).toBe('08P01')
    expect(rowsOf(messages)).toEqual([])
    wire.destroy()
  })

  it('byte by byte', async () => {
    const wire = await system.connect()
    const bytes = Buffer.concat([
      frames.parse('SELECT name FROM customers WHERE id = $1'),
      frames.bind({ parameters: ['2'] }),
      frames.execute(),
      frames.sync,
      frames.query('SELECT name FROM customers WHERE id = 3'),
    ])
    await wire.sendSplit(bytes, ...Array.from({ length: bytes.length - 1 }, (_, i) => i + 1))
    const messages = await wire.until('Z', 2)
    expect(rowsOf(messages)).toEqual([['customer 2'], ['customer 3']])
    await wire.end()
  })

  it('hundreds of batches at once, to both shards', async () => {
    const twin = await Twin.connect(system)
    const parts: Buffer[] = []
    for (let i = 0; i < 500; i++) {
      const key = String(1 + (i % 6))
      if (i % 7 === 3) parts.push(frames.query(`SELECT ${i}, name FROM customers WHERE id = ${key}`))
      else if (i % 11 === 5) parts.push(frames.parse(`SELECT ${i} / 0`), frames.bind(), frames.execute(), frames.sync)
      else {
        const sql = `SELECT $2::int, name FROM customers WHERE id = $1`
        parts.push(frames.parse(sql), frames.bind({ parameters: [key, String(i)] }), frames.execute(), frames.sync)
      }
    }
    await twin.same(Buffer.concat(parts), 'Z', 500)
    await twin.end()
  })

  it('large messages, both ways', { timeout: 120_000 }, async () => {
    const wire = await system.connect()
    const large = 'x'.repeat(LARGE_BYTES)
    const insert = await wire.exchange(
      frames.parse('INSERT INTO notes VALUES (2001, $1) RETURNING length(body)'),
      frames.bind({ parameters: [large] }),
      frames.execute(),
    )
    expect(errorOf(insert)).toBeNull()
    expect(rowsOf(insert)).toEqual([[String(LARGE_BYTES)]])
    const select = await wire.query('SELECT body FROM notes WHERE id = 2001')
    expect(rowsOf(select)[0]?.[0] === large).toBe(true)
    const many = await wire.query(`SELECT repeat('y', 1000) FROM generate_series(1, 20000)`)
    expect(many.filter(({ type }) => type === 'D')).toHaveLength(20_000)
    await wire.run('DELETE FROM notes WHERE id = 2001')
    await wire.end()
  })

  it('a reader that pauses holds up nobody else', { timeout: 120_000 }, async () => {
    const slow = await system.connect()
    slow.socket.pause()
    slow.send(frames.query(`SELECT repeat('z', 1000) FROM generate_series(1, 100000)`))
    const other = await system.connect()
    for (let i = 0; i < 200; i++) await other.run('SELECT name FROM customers WHERE id = 1')
    slow.socket.resume()
    const messages: Message[] = await slow.until('Z')
    expect(tagsOf(messages)).toEqual(['SELECT 100000'])
    await Promise.all([slow.end(), other.end()])
  })

  it('a client that goes away in the midst of anything leaves nothing behind', async () => {
    const starts: ReadonlyArray<readonly Buffer[]> = [
      [frames.query("BEGIN; UPDATE customers SET note = 'lost' WHERE id = 1")],
      [frames.parse("UPDATE customers SET note = 'lost' WHERE id = 1"), frames.bind(), frames.execute(), frames.flush],
      [frames.query('COPY notes FROM STDIN'), frames.copyData('3001\tlost\n')],
      [frames.query('SELECT 1'), frames.parse('SELECT 1').subarray(0, 7)],
      [frames.query("BEGIN; UPDATE customers SET note = 'lost' WHERE id = 1; SELECT pg_sleep(0.2)")],
    ]
    for (const start of starts) {
      const wire = await system.connect()
      wire.send(...start)
      if (start[0]?.[0] !== 0x50) await wire.next()
      wire.destroy()
    }
    const twin = await Twin.connect(system)
    // Blocks until the locks of those who left are gone.
    await twin.same(frames.query("UPDATE customers SET name = 'customer 1' WHERE id = 1 RETURNING note"))
    await twin.same(frames.query('SELECT count(*) FROM notes WHERE id = 3001'))
    await twin.end()
  })
})
