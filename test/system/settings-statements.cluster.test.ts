import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items VALUES (1, 'one');
`

/** What a statement meant when it was parsed it means on every server, and for nobody else: one server, which every session gets in turn. */
describe('statements under settings, on one server for all', () => {
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

  it('of a block that another one follows in the same text nothing is kept', async () => {
    const text = "SELECT timestamptz '2020-01-01', name FROM items WHERE id = 1"
    await one.run("SET TimeZone = 'UTC'")
    await one.run('BEGIN')
    await one.run("SET TimeZone = 'Asia/Tokyo'")
    await one.run('ROLLBACK; BEGIN')
    await one.exchange(frames.parse(text, 'p'), frames.describeStatement('p'))
    await one.run('COMMIT')
    await two.run("SET TimeZone = 'Asia/Tokyo'")
    const messages = await two.exchange(frames.parse(text, 'p'), frames.bind({ statement: 'p' }), frames.execute())
    expect(rowsOf(messages)).toEqual([['2020-01-01 00:00:00+09', 'one']])
  })

  const step = (sql: string): Buffer => Buffer.concat([frames.parse(sql), frames.bind(), frames.execute()])
  const bound = (statement: string): Buffer => Buffer.concat([frames.bind({ statement }), frames.execute()])
  const TIMED = "SELECT timestamptz '2021-01-01', name FROM items WHERE id = 1"

  async function anotherServer(): Promise<void> {
    const console = await system.console()
    await console.run('RECONNECT')
    await console.run('WAIT_CLOSE')
    await console.end()
  }

  it.each([
    ['at once', Buffer.alloc(0)],
    ['in parts', frames.flush],
  ])('what is parsed behind SET in one unit is nobody else’s: %s', async (_, between) => {
    const first = await one.exchange(step("SET TimeZone = 'Asia/Tokyo'"), between, frames.parse(TIMED, 'q'), bound('q'))
    expect(rowsOf(first)).toEqual([['2021-01-01 00:00:00+09', 'one']])
    await two.run("SET TimeZone = 'UTC'")
    expect(rowsOf(await two.exchange(frames.parse(TIMED, 'q'), bound('q')))).toEqual([
      ['2021-01-01 00:00:00+00', 'one'],
    ])
    // What it meant it means on every server.
    await one.run("SET TimeZone = 'UTC'")
    for (let i = 0; i < 2; i++) {
      expect(rowsOf(await one.exchange(bound('q')))).toEqual([['2020-12-31 15:00:00+00', 'one']])
      expect(rowsOf(await two.exchange(bound('q')))).toEqual([['2021-01-01 00:00:00+00', 'one']])
      await anotherServer()
    }
  })

  it('parsed behind COMMIT that ends SET LOCAL it means what is meant then', async () => {
    await one.run("SET TimeZone = 'UTC'")
    await one.run('BEGIN')
    await one.run("SET LOCAL TimeZone = 'Asia/Tokyo'")
    await one.exchange(step('COMMIT'), frames.parse(TIMED, 'q'))
    await two.run("SET TimeZone = 'Asia/Tokyo'")
    expect(rowsOf(await two.exchange(frames.parse(TIMED, 'q'), bound('q')))).toEqual([
      ['2021-01-01 00:00:00+09', 'one'],
    ])
    expect(rowsOf(await one.exchange(bound('q')))).toEqual([['2021-01-01 00:00:00+00', 'one']])
  })

  it('what is bound behind SET and has to be prepared there means what it meant before', async () => {
    await one.run("SET TimeZone = 'UTC'")
    await one.exchange(frames.parse(TIMED, 'q'))
    for (const [i, unit] of [
      [step("SET TimeZone = 'Asia/Tokyo'"), bound('q')],
      [step('BEGIN'), step("SET LOCAL TimeZone = 'Asia/Tokyo'"), bound('q'), step('COMMIT')],
      [step("SET TimeZone = 'Asia/Tokyo'"), frames.flush, bound('q')],
    ].entries()) {
      await anotherServer()
      await one.run("SET TimeZone = 'UTC'")
      const messages = await one.exchange(...unit)
      if (unit.includes(frames.flush)) expect(errorOf(messages)).toMatchObject({ C: '0A000' })
      else expect(rowsOf(messages)).toEqual([['2021-01-01 09:00:00+09', 'one']])
      await two.run("SET TimeZone = 'UTC'")
      const shared = await two.exchange(frames.parse(TIMED, `q${i}`), bound(`q${i}`))
      expect(rowsOf(shared)).toEqual([['2021-01-01 00:00:00+00', 'one']])
    }
  })

  it('what is parsed between SET LOCAL and the end of its block, in one unit, is prepared nowhere else', async () => {
    await one.run("SET TimeZone = 'UTC'")
    await one.exchange(
      step('BEGIN'),
      step("SET LOCAL TimeZone = 'Asia/Tokyo'"),
      frames.parse(TIMED, 'x'),
      step('COMMIT'),
    )
    expect(rowsOf(await one.exchange(bound('x')))).toEqual([['2020-12-31 15:00:00+00', 'one']])
    await anotherServer()
    expect(errorOf(await one.exchange(bound('x')))).toMatchObject({ C: '0A000' })
  })

  it('COMMIT and ROLLBACK that were prepared under other settings run everywhere, in a failed block too', async () => {
    await one.exchange(...['ROLLBACK', 'ROLLBACK TO a', 'COMMIT'].map(text => frames.parse(text, text)))
    for (const setting of ["statement_timeout = '1min'", "TimeZone = 'Asia/Tokyo'"]) {
      await one.run(`SET ${setting}`)
      await anotherServer()
      await one.run('BEGIN')
      await one.run('SAVEPOINT a')
      await one.query('SELECT 1/0')
      expect(errorOf(await one.exchange(bound('ROLLBACK TO a')))).toBeNull()
      await one.query('SELECT 1/0')
      expect(errorOf(await one.exchange(bound('ROLLBACK')))).toBeNull()
      await anotherServer()
      await one.run('BEGIN')
      await one.run(`SET LOCAL ${setting}`)
      one.send(step("SET TimeZone = 'UTC'"), frames.flush)
      await one.until('C')
      expect(errorOf(await one.exchange(bound('COMMIT')))).toBeNull()
    }
  })

  it('the unnamed statement is not prepared under other settings than its own', async () => {
    await one.run("SET TimeZone = 'UTC'")
    await one.exchange(
      frames.parse("SET LOCAL TimeZone = 'Asia/Tokyo'", 'set'),
      frames.parse("SET LOCAL work_mem = '9MB'", 'plain'),
    )
    for (const [name, code] of [
      ['set', '0A000'],
      ['plain', undefined],
    ] as const) {
      await one.run('BEGIN')
      await one.exchange(frames.parse(TIMED))
      await one.exchange(bound(name))
      const messages = await one.exchange(frames.bind(), frames.execute())
      expect(errorOf(messages)?.['C']).toBe(code)
      await one.query('ROLLBACK')
    }
  })

  it('between two SETs of one unit, or in one that failed, it is used where it is and prepared nowhere else', async () => {
    const [tokyo, utc] = [step("SET TimeZone = 'Asia/Tokyo'"), step("SET TimeZone = 'UTC'")]
    await one.run("SET TimeZone = 'UTC'")
    await one.exchange(tokyo, frames.parse(TIMED, 'a'), utc)
    await one.exchange(tokyo, frames.parse(TIMED, 'b'), step('SELECT 1/0'))
    for (const name of ['a', 'b']) {
      expect(rowsOf(await one.exchange(bound(name)))).toEqual([['2020-12-31 15:00:00+00', 'one']])
    }
    await anotherServer()
    for (const name of ['a', 'b']) expect(errorOf(await one.exchange(bound(name)))).toMatchObject({ C: '0A000' })
    expect(await valueOf(one, 'SELECT 1')).toBe('1')
  })
})
