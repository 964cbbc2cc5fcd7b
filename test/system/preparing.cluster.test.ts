import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel, type Wire } from '../support/wire.ts'

/** A statement that the proxy prepares on one more server waits for locks as the client's own would. */
describe.each([1, 2])('preparing a statement on another server, workers=%i', workers => {
  let system: System
  let wire: Wire

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      schema: 'CREATE TABLE items (id int PRIMARY KEY, name text)',
      sections: { pool: { default_pool_size: 1, server_connect_timeout: '1s' } },
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  beforeEach(async () => {
    wire = await system.connect()
    await wire.run("INSERT INTO items VALUES (1, 'one') ON CONFLICT DO NOTHING")
    // Described, so that the next server is compared with it before it runs it.
    await wire.exchange(frames.parse('SELECT name FROM items WHERE id = 1', 'p'), frames.describeStatement('p'))
    const console = await system.console()
    await console.run('RECONNECT')
    await console.end()
  })
  afterEach(() => {
    system.dropClients()
  })

  /** Runs `during` while the statement waits for the table's lock. */
  async function locked<T>(during: (answer: Promise<unknown>) => Promise<T>): Promise<T> {
    const { server } = system.cluster.shards[0]!.primary
    const locker = await server.connect()
    try {
      await locker.query('BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE')
      const answer = wire.exchange(frames.bind({ statement: 'p' }), frames.execute())
      await waitFor('it to wait for the lock', async () => {
        const { rows } = await locker.query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass")
        return rows.length > 0
      })
      const result = await during(answer)
      await locker.query('COMMIT')
      return result
    } finally {
      await locker.end()
    }
  }

  it('waits for as long as the lock is held', async () => {
    const answer = await locked(async pending => {
      // Past server_connect_timeout, which is for logins.
      await new Promise(resolve => setTimeout(resolve, 2500))
      return { pending }
    })
    expect(rowsOf((await answer.pending) as never)).toEqual([['one']])
  })

  it('can be cancelled', async () => {
    await locked(async pending => {
      await sendCancel(system.target(), wire.pid, wire.secret)
      expect(errorOf((await pending) as never)).toMatchObject({ C: '57014' })
    })
    expect(await valueOf(wire, 'SELECT 1')).toBe('1')
  })
})
