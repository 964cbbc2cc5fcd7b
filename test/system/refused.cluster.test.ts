import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorOf, rowsOf, statusOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'
import { REFUSED_DECLARATIONS, REFUSED_SCHEMA, refusedStatements } from '../support/refused.ts'

describe.each([1, 2])('what is not supported, workers=%i', workers => {
  const statements = refusedStatements(readFileSync(new URL('../golden/refused.json', import.meta.url), 'utf8'))
  let system: System
  let client: Wire

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, schema: REFUSED_SCHEMA, tables: REFUSED_DECLARATIONS })
    client = await system.connect()
  })
  afterAll(async () => {
    await system.stop()
  })

  /** Everything that a statement could have changed on any shard: rows and definitions. */
  async function everything(): Promise<unknown> {
    return await Promise.all(
      system.cluster.shards.map(async ({ primary }) => {
        const { rows } = await primary.server.query(`
          SELECT query_to_xml(format('SELECT * FROM %s t ORDER BY t::text', oid::regclass), false, true, '')::text AS content,
                 oid::regclass::text AS name
          FROM pg_class
          WHERE relkind IN ('r', 'p', 'm') AND relnamespace NOT IN (SELECT oid FROM pg_namespace
                WHERE nspname LIKE 'pg\\_%' OR nspname IN ('information_schema', 'shardway'))
          UNION ALL
          SELECT pg_describe_object(classid, objid, objsubid), refobjid::text FROM pg_depend
          WHERE objid >= 16384 AND deptype <> 'i'
          UNION ALL
          SELECT last_value::text, schemaname || sequencename FROM pg_sequences
          ORDER BY 1, 2`)
        return rows
      }),
    )
  }

  it('there are 200 statements or more', () => {
    expect(statements.length).toBeGreaterThanOrEqual(200)
    expect(new Set(statements).size).toBe(statements.length)
  })

  it('each gets 0A000 with a hint and changes nothing', { timeout: 300_000 }, async () => {
    const before = await everything()
    for (const sql of statements) {
      const messages = await client.query(sql)
      const error = errorOf(messages)
      expect.soft(error?.['C'], sql).toBe('0A000')
      expect.soft(error?.['H'] ?? '', sql).not.toBe('')
      expect.soft(rowsOf(messages), sql).toEqual([])
      expect.soft(statusOf(messages), sql).toBe('I')
      if (statusOf(messages) !== 'I') await client.query('ROLLBACK')
    }
    expect(await everything()).toEqual(before)
  })

  it('in a transaction it fails the transaction, whose earlier writes are rolled back', {
    timeout: 300_000,
  }, async () => {
    const before = await everything()
    for (const sql of statements) {
      await client.run("BEGIN; UPDATE customers SET name = 'lost' WHERE id = 1")
      const messages = await client.query(sql)
      expect.soft(errorOf(messages)?.['C'], sql).toBe('0A000')
      expect.soft(statusOf(messages), sql).toBe('E')
      expect.soft(errorOf(await client.query('SELECT name FROM customers WHERE id = 1'))?.['C'], sql).toBe('25P02')
      await client.query('ROLLBACK')
    }
    expect(await everything()).toEqual(before)
  })

  it('the connection serves on', async () => {
    expect(rowsOf(await client.run('SELECT id FROM customers WHERE id = 1'))).toEqual([['1']])
  })
})
