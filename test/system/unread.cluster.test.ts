import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

/** The proxy's parser is of another version than the servers, and libpg-query hands on no hints and no details. */
const WRONG = [
  'SELEC 1',
  String.raw`SELECT U&'wrong: \061'`,
  String.raw`SELECT E'wrong: \u061'`,
  String.raw`SELECT U&'wrong: +0061' UESCAPE '+'`,
  `SELECT 'no end`,
  'CREATE TABLE parts (a int) PARTITION BY MAGIC (a)',
  'SELECT 1; SELEC 2',
]

describe.each([1, 2])('texts that only the server can read, on one shard, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0, sections: { pool: { default_pool_size: 4 } } })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  async function reasons(): Promise<string> {
    const rows = rowsOf(await (await system.console()).run('SHOW CLIENTS'))
    return rows
      .filter(row => row[2] === 'app')
      .map(row => row.at(-1) ?? '')
      .join()
  }

  it.each(WRONG)('the error is the server’s: %s', async sql => {
    const twin = await Twin.connect(system)
    await twin.same(frames.query(sql))
    await twin.same(Buffer.concat([frames.parse(sql), frames.sync]))
    await twin.same(frames.query('BEGIN'))
    await twin.same(frames.query(sql))
    await twin.same(frames.query('SELECT 1'))
    await twin.same(frames.query('ROLLBACK'))
    await twin.same(frames.query('SELECT 1'))
    expect(await reasons()).not.toContain('unread')
  })

  it('backslashes are escapes where standard_conforming_strings is off', async () => {
    const twin = await Twin.connect(system)
    await twin.same(frames.query('CREATE TABLE sayings (word text PRIMARY KEY, number int)'))
    await twin.same(frames.query(String.raw`INSERT INTO sayings VALUES ('a\b', 1), ('a\\b', 2), ('it''s', 3)`))
    await twin.same(frames.query('SET standard_conforming_strings = off; SET escape_string_warning = off'))
    for (let i = 0; i < 8; i++) {
      for (const word of [String.raw`a\\b`, String.raw`a\\\\b`, String.raw`it\'s`]) {
        await twin.same(frames.query(`SELECT number FROM sayings WHERE word = '${word}'`))
        await twin.same(
          Buffer.concat([
            frames.parse(`SELECT number FROM sayings WHERE word = '${word}'`),
            frames.bind({}),
            frames.execute(),
            frames.sync,
          ]),
        )
      }
    }
    expect(await reasons()).toContain('unread statement')
    await twin.same(frames.query('DISCARD ALL'))
    expect(await reasons()).not.toContain('unread')
    await twin.same(frames.query(String.raw`SELECT number FROM sayings WHERE word = 'a\b'`))
    await twin.same(frames.query('BEGIN; SET LOCAL standard_conforming_strings = off'))
    await twin.same(frames.query(String.raw`SELECT 'it\'s', set_config('search_path', '\'', false)`))
    await twin.same(frames.query('ROLLBACK'))
    await twin.same(frames.query(String.raw`SELECT number FROM sayings WHERE word = 'a\\b'`))
    await twin.same(frames.query('DROP TABLE sayings'))
  })

  it('the session may begin with it', async () => {
    const twin = await Twin.connect(system, { parameters: { standard_conforming_strings: 'off' } })
    await twin.same(frames.query(String.raw`SELECT 'it\'s'`))
  })
})

describe('where no server may be kept', () => {
  it.each(['transaction', 'statement'])('the proxy names the mistake itself, mode %s', async mode => {
    const system = await startSystem({
      workers: 1,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { pool: { default_pool_size: 1, mode } },
    })
    try {
      const wire = await system.connect()
      const answer = await wire.query('SELEC 1')
      expect(errorOf(answer)).toMatchObject({ C: '42601', P: '1' })
      expect(statusOf(answer)).toBe('I')
      expect(await valueOf(wire, 'SELECT 1')).toBe('1')
    } finally {
      await system.stop()
    }
  })
})
