import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

describe.each([1, 2])('SIGTERM, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false })
  })
  afterAll(async () => {
    await system.stop()
  })

  it('drains: running transactions finish, idle clients are told, exit 0', { timeout: 60_000 }, async () => {
    const idle = await system.connect()
    const busy = await Promise.all([system.connect(), system.connect(), system.connect()])
    await idle.run('SELECT 1')
    for (const [i, wire] of busy.entries()) await wire.run(`BEGIN; INSERT INTO customers (id, name) VALUES (${i}, 'x')`)
    const running = await system.connect()
    running.send(frames.query("SELECT pg_sleep(1), 'answered'"))
    await waitFor('the statement to run', async () => {
      const all = await Promise.all(
        system.cluster.nodes.map(({ server }) =>
          server.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
        ),
      )
      return all.some(({ rowCount }) => rowCount === 1)
    })
    await system.shardway.signal('SIGTERM')
    expect(errorOf(await idle.rest())?.['C']).toBe('57P01')
    // No new clients: refused, or told why.
    await waitFor('the door to close', async () => {
      try {
        const wire = await Wire.connect(system.target())
        await wire.end()
        return false
      } catch {
        return true
      }
    })
    const ready = await fetch(`${system.shardway.httpUrl}/readyz`)
      .then(answer => answer.status)
      .catch(() => 0)
    expect(ready).not.toBe(200)
    expect(rowsOf(await running.until('C'))).toEqual([['', 'answered']])
    for (const [i, wire] of busy.entries()) {
      await wire.run(`UPDATE customers SET name = 'finished' WHERE id = ${i}`)
      expect(system.shardway.running).toBe(true)
      wire.send(frames.query('COMMIT'))
      expect(tagsOf(await wire.until('C'))).toEqual(['COMMIT'])
    }
    expect(await system.shardway.ended).toBe(0)
    const names = await Promise.all(
      system.cluster.shards.map(({ primary }) => primary.server.query('SELECT name FROM customers')),
    )
    expect(names.flatMap(({ rows }) => rows)).toEqual(busy.map(() => ({ name: 'finished' })))
    // A second start on the same state serves.
    await system.shardway.start()
    await system.isServing()
  })

  it('kill -9, and the next start serves at once', { timeout: 60_000 }, async () => {
    await system.shardway.kill()
    await system.shardway.start()
    await system.isServing()
  })
})
