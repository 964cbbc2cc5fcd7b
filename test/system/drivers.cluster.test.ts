import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel } from '../support/wire.ts'

const CUSTOMERS = 40

/** How many sessions of the shards run a text like this now. */
async function running(system: System, text: string): Promise<number> {
  const counts = await Promise.all(
    system.cluster.shards.map(({ primary }) =>
      primary.server.query(
        "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()",
        [`%${text}%`],
      ),
    ),
  )
  return counts.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0)
}

function sqlstateOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

describe.each([1, 2])('drivers, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false })
    const wire = await system.connect()
    for (let id = 1; id <= CUSTOMERS; id++) {
      await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    }
    await wire.end()
  })
  afterAll(async () => {
    await system.stop()
  })

  describe('node-postgres', () => {
    let pool: pg.Pool

    beforeAll(() => {
      pool = new pg.Pool({ connectionString: system.shardway.url(), max: 8 })
    })
    afterAll(async () => {
      await pool.end()
    })

    it('reads of both shards at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 400 }, (_, i) => {
          const id = 1 + (i % CUSTOMERS)
          return pool.query<{ id: string; name: string }>('SELECT id, name FROM customers WHERE id = $1', [id])
        }),
      )
      answers.forEach(({ rows }, i) => {
        const id = String(1 + (i % CUSTOMERS))
        expect(rows).toEqual([{ id, name: `customer ${id}` }])
      })
    })

    it('writes', async () => {
      const inserted = await pool.query('INSERT INTO orders VALUES ($1, $2, $3) RETURNING *', [3, 1, '9.99'])
      expect(inserted.rows).toEqual([{ customer_id: '3', id: 1, amount: '9.99' }])
      expect((await pool.query('UPDATE orders SET amount = amount * 2 WHERE customer_id = $1', [3])).rowCount).toBe(1)
      expect((await pool.query('SELECT amount FROM orders WHERE customer_id = 3')).rows).toEqual([{ amount: '19.98' }])
      expect((await pool.query('DELETE FROM orders WHERE customer_id = $1 AND id = $2', [3, 1])).rowCount).toBe(1)
    })

    it('transactions', async () => {
      const client = await pool.connect()
      await client.query('BEGIN')
      await client.query("UPDATE customers SET note = 'rolled back' WHERE id = $1", [5])
      await client.query('ROLLBACK')
      await client.query('BEGIN')
      await client.query("UPDATE customers SET note = 'kept' WHERE id = $1", [6])
      await client.query('INSERT INTO orders VALUES ($1, 1, 1)', [6])
      await client.query('COMMIT')
      client.release()
      const note = async (id: number): Promise<unknown> =>
        (await pool.query('SELECT note FROM customers WHERE id = $1', [id])).rows[0].note
      expect(await note(5)).toBeNull()
      expect(await note(6)).toBe('kept')
    })

    it('named statements, over transactions and connections', async () => {
      const query = { name: 'by-id', text: 'SELECT name FROM customers WHERE id = $1' }
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const client = await pool.connect()
          try {
            for (let id = 1; id <= 10; id++) {
              await client.query('BEGIN')
              const { rows } = await client.query({ ...query, values: [id] })
              await client.query(i % 2 === 0 ? 'COMMIT' : 'ROLLBACK')
              expect(rows).toEqual([{ name: `customer ${id}` }])
            }
          } finally {
            client.release()
          }
        }),
      )
    })

    it('errors inside transactions', async () => {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        await client.query("UPDATE customers SET note = 'lost' WHERE id = 7")
        const error = await failure(client.query("INSERT INTO customers (id, name) VALUES (7, 'again')"))
        expect(error).toMatchObject({
          code: '23505',
          constraint: 'customers_pkey',
          table: 'customers',
          severity: 'ERROR',
        })
        expect(sqlstateOf(await failure(client.query('SELECT 1')))).toBe('25P02')
        expect((await client.query('COMMIT')).command).toBe('ROLLBACK')
        const { rows } = await client.query('SELECT note FROM customers WHERE id = 7')
        expect(rows).toEqual([{ note: null }])
      } finally {
        client.release()
      }
    })

    it('cancel, also when the request lands on the other worker', { timeout: 60_000 }, async () => {
      for (let i = 0; i < 6; i++) {
        const client = (await pool.connect()) as pg.PoolClient & { processID: number; secretKey: number | Buffer }
        const secret = Buffer.alloc(4)
        if (typeof client.secretKey === 'number') secret.writeInt32BE(client.secretKey | 0)
        const sleep = failure(client.query(`SELECT pg_sleep(60), 'pg ${i}'`))
        await waitFor('the sleep', async () => (await running(system, `'pg ${i}'`)) === 1)
        await sendCancel(
          system.target(),
          client.processID,
          typeof client.secretKey === 'number' ? secret : client.secretKey,
        )
        expect(sqlstateOf(await sleep)).toBe('57014')
        expect((await client.query('SELECT name FROM customers WHERE id = 1')).rowCount).toBe(1)
        client.release()
      }
    })

    it('a wrong secret cancels nothing', async () => {
      const client = (await pool.connect()) as pg.PoolClient & { processID: number }
      const sleep = client.query('SELECT pg_sleep(1)')
      await sendCancel(system.target(), client.processID, Buffer.from([1, 2, 3, 4]))
      expect((await sleep).rowCount).toBe(1)
      client.release()
    })
  })

  describe('postgres.js', () => {
    let sql: postgres.Sql

    beforeAll(() => {
      sql = postgres(system.shardway.url(), { max: 4, onnotice: () => undefined })
    })
    afterAll(async () => {
      await sql.end()
    })

    it('pipelined reads of both shards', async () => {
      const answers = await Promise.all(
        Array.from({ length: 400 }, (_, i) => sql`SELECT id, name FROM customers WHERE id = ${1 + (i % CUSTOMERS)}`),
      )
      answers.forEach((rows, i) => {
        const id = String(1 + (i % CUSTOMERS))
        expect([...rows]).toEqual([{ id, name: `customer ${id}` }])
      })
    })

    it('one connection, many statements in flight, errors among them', async () => {
      const one = postgres(system.shardway.url(), { max: 1 })
      const results = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) =>
          i % 10 === 9 ? one`SELECT 1 / ${0}::int` : one`SELECT name FROM customers WHERE id = ${1 + (i % CUSTOMERS)}`,
        ),
      )
      results.forEach((result, i) => {
        if (i % 10 === 9) expect(result).toMatchObject({ status: 'rejected', reason: { code: '22012' } })
        else expect(result).toMatchObject({ status: 'fulfilled', value: [{ name: `customer ${1 + (i % CUSTOMERS)}` }] })
      })
      await one.end()
    })

    it('writes and transactions', async () => {
      const total = await sql.begin(async tx => {
        await tx`INSERT INTO orders VALUES (${11}, 1, ${'1.50'}), (${11}, 2, ${'2.50'})`
        await tx`UPDATE customers SET balance = 4 WHERE id = ${11}`
        const [row] = await tx`SELECT sum(amount) AS total FROM orders WHERE customer_id = ${11}`
        return row?.['total'] as string
      })
      expect(total).toBe('4.00')
      await failure(
        sql.begin(async tx => {
          await tx`DELETE FROM orders WHERE customer_id = ${11}`
          throw new Error('changed my mind')
        }),
      )
      const [count] = await sql`SELECT count(*) FROM orders WHERE customer_id = ${11}`
      expect(count?.['count']).toBe('2')
    })

    it('savepoints after errors', async () => {
      await sql.begin(async tx => {
        await tx`UPDATE customers SET note = 'outer' WHERE id = ${12}`
        const error = await failure(
          tx.savepoint(inner => inner`INSERT INTO customers (id, name) VALUES (${12}, 'again')`),
        )
        expect(sqlstateOf(error)).toBe('23505')
        await tx`UPDATE customers SET name = 'renamed' WHERE id = ${12}`
      })
      const [row] = await sql`SELECT name, note FROM customers WHERE id = ${12}`
      expect(row).toEqual({ name: 'renamed', note: 'outer' })
    })

    it('COPY out of one shard', async () => {
      await sql`UPDATE customers SET note = 'copy' WHERE id = ${13}`
      const stream = await sql`COPY (SELECT id, note FROM customers WHERE id = 13) TO STDOUT`.readable()
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      expect(text).toBe('13\tcopy\n')
    })

    it('cancel', { timeout: 60_000 }, async () => {
      for (let i = 0; i < 4; i++) {
        const sleep = sql.unsafe(`SELECT pg_sleep(60), 'js ${i}'`)
        const failed = failure(sleep)
        await waitFor('the sleep', async () => (await running(system, `'js ${i}'`)) === 1)
        sleep.cancel()
        expect(sqlstateOf(await failed)).toBe('57014')
      }
    })
  })
})
