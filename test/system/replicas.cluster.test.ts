import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, rowsOf, valueOf as value } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel, Wire, WireError } from '../support/wire.ts'

/** Keys of both shards. */
const KEYS = Array.from({ length: 12 }, (_, i) => i + 1)

describe.each([1, 2])('replicas, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      oracle: false,
      links: true,
      sections: { failover: { probe: '200ms' }, read: { consistency: 'fresh', max_replica_lag: '60s' } },
    })
    const wire = await system.connect()
    for (const id of KEYS) await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    await wire.run("INSERT INTO pages VALUES ('still', 'never written again')")
    await wire.end()
    await system.cluster.caughtUp()
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  async function reads(): Promise<{ replicas: number; primaries: number }> {
    const console = await system.console()
    const messages = await console.run('SHOW STATS')
    const description = messages.find(({ type }) => type === 'T')
    const names = description === undefined ? [] : columnsOf(description).map(({ name }) => name)
    const row = rowsOf(messages).find(([database]) => database === 'app') ?? []
    await console.end()
    const number = (name: string): number => Number(row[names.indexOf(name)])
    return { replicas: number('total_replica_reads'), primaries: number('total_primary_reads') }
  }

  /** Where a read of the row runs, asked of the server itself in the same statement. */
  async function isOnReplica(wire: Wire, sql = "SELECT title FROM pages WHERE slug = 'still'"): Promise<boolean> {
    const before = await reads()
    await wire.run(sql)
    const after = await reads()
    return after.replicas > before.replicas
  }

  async function replayPaused<T>(run: () => Promise<T>): Promise<T> {
    const servers = system.cluster.shards.map(shard => shard.replica.server)
    await Promise.all(servers.map(server => server.query('SELECT pg_wal_replay_pause()')))
    await Promise.all(
      servers.map(server =>
        waitFor('the pause', async () => {
          const { rows } = await server.query('SELECT pg_get_wal_replay_pause_state() AS state')
          return (rows[0] as { state: string }).state === 'paused'
        }),
      ),
    )
    try {
      return await run()
    } finally {
      await Promise.all(servers.map(server => server.query('SELECT pg_wal_replay_resume()')))
      await system.cluster.caughtUp()
    }
  }

  it('reads of what nobody writes go to replicas, writes to primaries', async () => {
    const wire = await system.connect()
    await waitFor('a read on a replica', () => isOnReplica(wire))
    await wire.run("UPDATE customers SET note = 'w' WHERE id = 1")
    for (const { primary, replica } of system.cluster.shards) {
      expect(await primary.server.isPrimary()).toBe(true)
      expect(await replica.server.isPrimary()).toBe(false)
    }
  })

  it('every session sees each acknowledged write, while replay stands still', { timeout: 120_000 }, async () => {
    const wires = await Promise.all(Array.from({ length: 6 }, () => system.connect()))
    await replayPaused(async () => {
      for (let round = 0; round < 20; round++) {
        for (const id of KEYS.slice(0, 6)) {
          const marker = `round ${round}`
          const writer = wires[(round + id) % wires.length] as Wire
          if (round % 3 === 0) {
            await writer.run('BEGIN')
            await writer.run(`UPDATE customers SET note = '${marker}' WHERE id = ${id}`)
            await writer.run('COMMIT')
          } else await writer.run(`UPDATE customers SET note = '${marker}' WHERE id = ${id}`)
          const seen = await Promise.all(wires.map(wire => value(wire, `SELECT note FROM customers WHERE id = ${id}`)))
          expect(seen).toEqual(wires.map(() => marker))
        }
      }
      // What is unwritten may still come from a replica.
      await waitFor('a read on a replica', () => isOnReplica(wires[0] as Wire))
    })
  })

  it('deleted rows stay deleted, inserted ones are there, also seen through joins and views', async () => {
    const [one, two] = [await system.connect(), await system.connect()]
    await replayPaused(async () => {
      for (const id of [101, 102, 103, 104]) {
        await one.run(`INSERT INTO customers (id, name, balance) VALUES (${id}, 'new', 500)`)
        await one.run(`INSERT INTO orders VALUES (${id}, 1, 1)`)
        expect(
          await value(two, `SELECT o.id FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = ${id}`),
        ).toBe('1')
        expect(await value(two, `SELECT name FROM rich WHERE id = ${id}`)).toBe('new')
        await two.run(`DELETE FROM orders WHERE customer_id = ${id}`)
        await two.run(`DELETE FROM customers WHERE id = ${id}`)
        expect(rowsOf(await one.run(`SELECT * FROM rich WHERE id = ${id}`))).toEqual([])
        expect(rowsOf(await one.run(`SELECT * FROM orders WHERE customer_id = ${id}`))).toEqual([])
      }
    })
  })

  it('what a replica cannot prepare yet runs on the primary', async () => {
    const wire = await system.connect()
    await wire.run('SET shardway.consistency = eventual')
    await replayPaused(async () => {
      await wire.run('CREATE TABLE late AS SELECT 7 AS id')
      // Described by a primary: a replica is compared with that before it runs the statement.
      await wire.exchange(frames.parse('SELECT id FROM late', 'late'), frames.describeStatement('late'))
      for (let i = 0; i < 4; i++) {
        const messages = await wire.exchange(frames.bind({ statement: 'late' }), frames.execute())
        expect(errorOf(messages)).toBeNull()
        expect(rowsOf(messages)).toEqual([['7']])
      }
      expect(await value(wire, 'SELECT id FROM late')).toBe('7')
    })
    await wire.run('DROP TABLE late')
  })

  it('a cancel of a read on a replica is its end', async () => {
    const wire = await system.connect()
    const long = "SELECT count(*) FROM pages, generate_series(1, 50000000) WHERE slug = 'still'"
    const answer = wire.query(long)
    const replicas = system.cluster.shards.map(shard => shard.replica.server)
    await waitFor('a replica to run it', async () => {
      const found = await Promise.all(
        replicas.map(server =>
          server.query("SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%50000000) WHERE slug%'"),
        ),
      )
      return found.some(({ rows }) => rows.length > 0)
    })
    await sendCancel(system.target(), wire.pid, wire.secret)
    expect(errorOf(await answer)).toMatchObject({ C: '57014' })
    expect(await value(wire, 'SELECT 1')).toBe('1')
  })

  it('sessions racing: never back in time', { timeout: 120_000 }, async () => {
    const wires = await Promise.all(Array.from({ length: 8 }, () => system.connect()))
    const acknowledged = new Map<number, number>(KEYS.map(id => [id, 0]))
    for (const id of KEYS) await wires[0]?.run(`UPDATE customers SET balance = 0 WHERE id = ${id}`)
    await Promise.all(
      wires.map(async (wire, session) => {
        for (let round = 1; round <= 60; round++) {
          const id = KEYS[(session * 7 + round) % KEYS.length] ?? 1
          if ((session + round) % 3 === 0) {
            const balance = Number(
              await value(wire, `UPDATE customers SET balance = balance + 1 WHERE id = ${id} RETURNING balance`),
            )
            acknowledged.set(id, Math.max(acknowledged.get(id) ?? 0, balance))
          } else {
            const floor = acknowledged.get(id) ?? 0
            expect(Number(await value(wire, `SELECT balance FROM customers WHERE id = ${id}`))).toBeGreaterThanOrEqual(
              floor,
            )
          }
        }
      }),
    )
  })

  it('READ ONLY transactions; writes in them are errors', async () => {
    const wire = await system.connect()
    for (const id of KEYS.slice(0, 4)) {
      await wire.run(`UPDATE customers SET note = 'before' WHERE id = ${id}`)
      await wire.run('BEGIN READ ONLY')
      expect(await value(wire, `SELECT note FROM customers WHERE id = ${id}`)).toBe('before')
      expect(errorOf(await wire.query(`UPDATE customers SET note = 'no' WHERE id = ${id}`))?.['C']).toMatch(
        /^(25006|0A000)$/,
      )
      await wire.run('ROLLBACK')
      expect(await value(wire, `SELECT note FROM customers WHERE id = ${id}`)).toBe('before')
    }
  })

  it('what a replica must not answer goes to the primary', async () => {
    const wire = await system.connect()
    for (const sql of [
      "SELECT title FROM pages WHERE slug = 'still' FOR UPDATE",
      "SELECT pg_current_xact_id() FROM pages WHERE slug = 'still'",
      "SELECT txid_current(), title FROM pages WHERE slug = 'still'",
      "BEGIN; SELECT title FROM pages WHERE slug = 'still' FOR SHARE; COMMIT",
    ]) {
      await wire.run(sql)
    }
  })

  it('a replica that dies and comes back', { timeout: 120_000 }, async () => {
    const wire = await system.connect()
    const read = async (): Promise<void> => {
      for (const id of KEYS)
        expect(await value(wire, `SELECT name FROM customers WHERE id = ${id}`)).toBe(`customer ${id}`)
    }
    for (const { replica } of system.cluster.shards) await replica.kill()
    await read()
    for (const id of KEYS) await wire.run(`UPDATE customers SET note = 'while down' WHERE id = ${id}`)
    for (const { replica } of system.cluster.shards) await replica.start()
    for (let i = 0; i < 20; i++) {
      for (const id of KEYS) expect(await value(wire, `SELECT note FROM customers WHERE id = ${id}`)).toBe('while down')
    }
    await read()
    await waitFor('a read on a replica', () => isOnReplica(wire))
  })

  it('a replica that crashes and restarts behind what it served', { timeout: 120_000 }, async () => {
    const [writer, reader] = [await system.connect(), await system.connect()]
    for (let round = 0; round < 4; round++) {
      for (const id of KEYS) await writer.run(`UPDATE customers SET note = 'r${round}' WHERE id = ${id}`)
      await system.cluster.caughtUp()
      for (const { replica } of system.cluster.shards) await replica.restart('immediate')
      for (const id of KEYS)
        expect(await value(reader, `SELECT note FROM customers WHERE id = ${id}`)).toBe(`r${round}`)
    }
  })

  it('a replica that is cut off or silent', { timeout: 120_000 }, async () => {
    const wire = await system.connect()
    for (const { replica } of system.cluster.shards) await replica.link.cut()
    for (const id of KEYS)
      expect(await value(wire, `SELECT name FROM customers WHERE id = ${id}`)).toBe(`customer ${id}`)
    for (const { replica } of system.cluster.shards) await replica.link.heal()
    await waitFor('a read on a replica', () => isOnReplica(wire))
  })

  it('a promotion by hand: the new primary is found, nothing of the old one is served', {
    timeout: 120_000,
  }, async () => {
    const shard = system.cluster.shard('s0')
    const old = shard.primary
    await system.cluster.caughtUp()
    await old.kill()
    await shard.promote(shard.replica)
    const write = async (): Promise<boolean> => {
      let wire: Wire | null = null
      try {
        wire = await Wire.connect(system.target())
        for (const id of KEYS) await wire.run(`UPDATE customers SET note = 'new term' WHERE id = ${id}`)
        return true
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        expect(error.fields['C']).toMatch(/^(57P03|08006|08007|25006|57P01|40001)$/)
        return false
      } finally {
        wire?.destroy()
      }
    }
    await waitFor('a write on the new primary', write, { timeoutMs: 30_000 })
    const wire = await system.connect()
    for (const id of KEYS) expect(await value(wire, `SELECT note FROM customers WHERE id = ${id}`)).toBe('new term')
    // The old primary comes back as it was: a second primary, of an older timeline. Nothing may be read or written there.
    await old.start()
    for (let i = 0; i < 30; i++) {
      for (const id of KEYS) {
        const marker = `after ${i}`
        if (i % 10 === 0) await wire.run(`UPDATE customers SET note = '${marker}' WHERE id = ${id}`)
        expect(await value(wire, `SELECT note FROM customers WHERE id = ${id}`)).toBe(`after ${i - (i % 10)}`)
      }
    }
    const { rows } = await old.server.query("SELECT FROM customers WHERE note LIKE 'after %'")
    expect(rows).toEqual([])
  })
})
