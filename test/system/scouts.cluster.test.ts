/**
 * Drivers that ask what a statement is before they bind it (postgres.js, and others without prepared statements): Parse, Describe
 * and Flush come before the key is known, also in a block that has begun on some shard by its SET TRANSACTION or SAVEPOINT.
 */
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const PRELIMINARIES = [
  ['nothing', []],
  ['SET TRANSACTION', ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY']],
  ['SET LOCAL', ["SET LOCAL work_mem = '123kB'"]],
  ['SET', ["SET work_mem = '124kB'"]],
  ['SAVEPOINT', ['SAVEPOINT a', 'SAVEPOINT b', 'ROLLBACK TO a']],
] as const

describe.each([1, 2])('Describe before Bind in a block, workers=%i', workers => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers, replicas: 0 })
    const twin = await Twin.connect(system)
    for (let id = 1; id <= 4; id++)
      await twin.same(frames.query(`INSERT INTO customers (id, name) VALUES (${id}, 'c${id}')`))
    await twin.end()
  })
  afterAll(async () => await system.stop())
  afterEach(() => system.dropClients())

  const SELECT = "SELECT id, name, current_setting('work_mem') FROM customers WHERE id = $1"
  const bind = (id: number): Buffer => Buffer.concat([frames.bind({ parameters: [String(id)] }), frames.execute()])

  /** Both shards as the one where the session begins, and as the one where its key lies. */
  async function everywhere(work: (twin: Twin, id: number) => Promise<void>): Promise<void> {
    for (const id of [1, 2, 3, 4]) {
      for (let home = 0; home < 2; home++) {
        const twin = await Twin.connect(system)
        await work(twin, id)
        await twin.end()
      }
    }
  }

  it.each(PRELIMINARIES)('behind %s', async (_, texts) => {
    await everywhere(async (twin, id) => {
      await twin.same(frames.query('BEGIN'))
      for (const text of texts) await twin.same(frames.query(text))
      for (let again = 0; again < 2; again++) {
        await twin.same(Buffer.concat([frames.parse(SELECT), frames.describeStatement(), frames.flush]), 'T')
        await twin.same(Buffer.concat([bind(id), frames.sync]))
      }
      await twin.same(frames.query('SHOW transaction_isolation'))
      await twin.same(frames.query('COMMIT'))
      await twin.same(frames.query(`SELECT current_setting('work_mem') FROM customers WHERE id = ${id}`))
    })
  })

  it.each(PRELIMINARIES)('several of them, and one that fails, behind %s', async (_, texts) => {
    await everywhere(async (twin, id) => {
      await twin.same(frames.query('BEGIN'))
      for (const text of texts) await twin.same(frames.query(text))
      await twin.same(
        Buffer.concat([frames.parse('SELECT 1', 'one'), frames.describeStatement('one'), frames.flush]),
        'T',
      )
      await twin.same(Buffer.concat([frames.parse(SELECT), frames.describeStatement(), frames.flush]), 'T')
      await twin.same(Buffer.concat([bind(id), frames.sync]))
      const wrong = frames.parse('SELECT nothing FROM customers WHERE id = $1', 'wrong')
      await twin.same(Buffer.concat([wrong, frames.describeStatement('wrong'), frames.flush]), 'E')
      await twin.same(Buffer.concat([bind(id), frames.sync]))
      await twin.same(frames.query('SELECT 1'))
      await twin.same(frames.query('COMMIT'))
      await twin.same(frames.query(`SELECT name FROM customers WHERE id = ${id}`))
    })
  })

  it.each(PRELIMINARIES)('one that fails at once behind %s fails the block', async (_, texts) => {
    await everywhere(async (twin, id) => {
      await twin.same(frames.query('BEGIN'))
      for (const text of texts) await twin.same(frames.query(text))
      const wrong = frames.parse('SELECT nothing FROM customers WHERE id = $1')
      await twin.same(Buffer.concat([wrong, frames.describeStatement(), frames.flush]), 'E')
      await twin.same(Buffer.concat([bind(id), frames.sync]))
      await twin.same(frames.query('SELECT 1'))
      await twin.same(frames.query('ROLLBACK'))
      await twin.same(frames.query(`SELECT name FROM customers WHERE id = ${id}`))
    })
  })
})
