import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { errorOf, rowsOf, valueOf as value } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const CUSTOMERS = 16

describe.each([1, 2])('blocks that begin with a read of any shard, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false })
    const wire = await system.connect()
    for (let id = 1; id <= CUSTOMERS; id++) await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'c${id}')`)
    await wire.end()
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  /** Runs a block for each customer; how many could not go on to the customer's shard. */
  async function refused(wire: Wire, begin: readonly string[]): Promise<number> {
    let count = 0
    for (let id = 1; id <= CUSTOMERS; id++) {
      for (const statement of begin) await wire.run(statement)
      const messages = await wire.query(`UPDATE customers SET note = 'seen' WHERE id = ${id} RETURNING name`)
      const error = errorOf(messages)
      if (error === null) expect(rowsOf(messages)).toEqual([[`c${id}`]])
      else expect(error).toMatchObject({ C: '0A000', M: expect.stringMatching(/cannot reach shard/) as string })
      if (error !== null) count++
      await wire.run(error === null ? 'COMMIT' : 'ROLLBACK')
    }
    return count
  }

  it('go on to the shard of the first key', async () => {
    const wire = await system.connect()
    expect(await refused(wire, ['BEGIN', 'SELECT name FROM countries'])).toBe(0)
    expect(await refused(wire, ['BEGIN', 'SELECT 1', `SELECT name FROM countries WHERE code = 'DE'`])).toBe(0)
    expect(await refused(wire, ['BEGIN', `SET LOCAL work_mem = '5MB'`, 'SELECT 1', 'SAVEPOINT a'])).toBe(0)
    await wire.run('BEGIN')
    await wire.run(`SET LOCAL application_name = 'here'`)
    await wire.run('SELECT 1')
    for (let id = 1; id <= 2; id++) await wire.query(`SELECT name FROM customers WHERE id = ${id}`)
    await wire.query('ROLLBACK')
    expect(await value(wire, 'SHOW application_name')).toBe('')
  })

  it('stay where they read under one snapshot, however it was asked for', async () => {
    const wire = await system.connect()
    const expected = await refused(wire, ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT name FROM countries'])
    expect(expected).toBeGreaterThan(0)
    expect(await refused(wire, ['BEGIN', 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'SELECT 1'])).toBe(expected)
    await wire.run(`SET default_transaction_isolation = 'repeatable read'`)
    expect(await refused(wire, ['BEGIN', 'SELECT name FROM countries'])).toBe(expected)
  })

  it('stay where something was left or told that is of that shard', async () => {
    const wire = await system.connect()
    const expected = await refused(wire, ['BEGIN', 'SELECT now()'])
    expect(expected).toBeGreaterThan(0)
    expect(await refused(wire, ['BEGIN', 'SELECT CURRENT_TIMESTAMP'])).toBe(expected)
    expect(await refused(wire, ['BEGIN', 'SELECT body FROM notes WHERE id = 1'])).toBe(expected)
  })
})
