import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf, valueOf } from '../support/messages.ts'
import { seeded } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { sendCancel, type Wire } from '../support/wire.ts'

const POOL_SIZE = 12
/** A cancel request's code, as the fault proxy sees it. */
const CANCEL = /\x04\xd2\x16\x2e/
const PROTOCOLS = [196608, 196610]

describe('cancel requests, two workers', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      shards: 1,
      replicas: 0,
      links: true,
      oracle: false,
      sections: { pool: { default_pool_size: POOL_SIZE } },
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    await link().heal()
  })

  const link = () => (system.cluster.shards[0] as (typeof system.cluster.shards)[number]).primary.link
  const cancel = (wire: Wire, secret = wire.secret): Promise<void> => sendCancel(system.target(), wire.pid, secret)

  /** Statements that the server is at, by their comment. */
  async function running(mark: string): Promise<number> {
    const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
    const { rows } = await primary.server.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%${mark}%' AND pid <> pg_backend_pid()`,
    )
    return (rows[0] as { n: number }).n
  }

  it('reach the statement they are meant for and no other', { timeout: 120_000 }, async () => {
    const random = seeded('cancel')
    const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
    const blocker = await primary.server.connect({ user: 'app', password: 'app' })
    for (let round = 0; round < 4; round++) {
      await blocker.query('BEGIN; SELECT * FROM notes WHERE id = 1 FOR UPDATE')
      const clients = await Promise.all(
        Array.from({ length: POOL_SIZE - 2 }, (_, i) => system.connect({ protocol: PROTOCOLS[i % 2] as number })),
      )
      for (const [i, wire] of clients.entries()) {
        wire.send(frames.query(`SELECT '${round}-${i}' /* lock-${round}- */ FROM notes WHERE id = 1 FOR SHARE`))
      }
      await waitFor('all to wait for the lock', async () => (await running(`lock-${round}-`)) === clients.length)
      const chosen = new Set(clients.filter(() => random.chance(0.5)))
      await Promise.all([...chosen].map(wire => cancel(wire)))
      for (const wire of chosen) {
        const answer = await wire.until('Z')
        expect(errorOf(answer)?.['C']).toBe('57014')
        expect(statusOf(answer)).toBe('I')
      }
      await blocker.query('ROLLBACK')
      for (const [i, wire] of clients.entries()) {
        if (!chosen.has(wire)) expect(rowsOf(await wire.until('Z'))).toEqual([[`${round}-${i}`]])
        expect(await valueOf(wire, `SELECT ${i}`)).toBe(String(i))
        await wire.end()
      }
    }
    await blocker.end()
  })

  it('need the whole key: 4 bytes of protocol 3.0, 32 of 3.2', async () => {
    for (const protocol of PROTOCOLS) {
      const wire = await system.connect({ protocol })
      const bytes = protocol === 196608 ? 4 : 32
      expect(wire.secret).toHaveLength(bytes)
      wire.send(frames.query('SELECT pg_sleep(100) /* whole-key */'))
      await waitFor('the statement to run', async () => (await running('whole-key')) === 1)
      const last = Buffer.from(wire.secret)
      last[bytes - 1] = (last[bytes - 1] ?? 0) ^ 1
      for (const wrong of [
        last,
        wire.secret.subarray(0, bytes - 1),
        wire.secret.subarray(0, 4).fill(0),
        Buffer.concat([wire.secret, Buffer.from([0])]),
        Buffer.alloc(256),
        Buffer.alloc(257),
        Buffer.alloc(0),
      ]) {
        await cancel(wire, Buffer.from(wrong))
      }
      expect(await running('whole-key')).toBe(1)
      wire.destroy()
    }
  })

  it('a client that waits for a server is told at once', async () => {
    const holders = await Promise.all(Array.from({ length: POOL_SIZE }, () => system.connect()))
    await Promise.all(holders.map(wire => wire.run('BEGIN; SELECT 1 FROM countries')))
    const batch = Buffer.concat([frames.parse('SELECT 1 FROM countries'), frames.bind(), frames.execute(), frames.sync])
    for (const bytes of [frames.query('SELECT 1 FROM countries'), batch]) {
      const waiting = await Promise.all(Array.from({ length: 6 }, () => system.connect()))
      for (const wire of waiting) wire.send(bytes)
      const console = await system.console()
      await waitFor('them to wait', async () => {
        const pools = rowsOf(await console.run('SHOW POOLS'))
        return pools.reduce((sum, row) => sum + Number(row[3]), 0) === waiting.length
      })
      await console.end()
      await Promise.all(waiting.map(wire => cancel(wire)))
      for (const wire of waiting) {
        const answer = await wire.until('Z')
        expect(answer.map(({ type }) => type)).toEqual(['E', 'Z'])
        expect(errorOf(answer)?.['C']).toBe('57014')
      }
      await holders[0]?.run('COMMIT')
      expect(await valueOf(waiting[0] as Wire, 'SELECT 7')).toBe('7')
      await holders[0]?.run('BEGIN; SELECT 1 FROM countries')
    }
  })

  it('a flood is bounded, and nobody else waits for it', { timeout: 120_000 }, async () => {
    const wires = await Promise.all(Array.from({ length: POOL_SIZE - 2 }, () => system.connect()))
    for (const wire of wires) wire.send(frames.query('SELECT pg_sleep(100) /* flood */'))
    await waitFor('the statements to run', async () => (await running('flood')) === wires.length)
    const before = link().accepted
    link().when(CANCEL, 'stall', { times: 1_000_000 })
    for (let round = 0; round < 30; round++) await Promise.all(wires.map(wire => cancel(wire)))
    const other = await system.connect()
    for (let i = 0; i < 50; i++) expect(await valueOf(other, `SELECT ${i}`)).toBe(String(i))
    // One for each server at most, whoever asked how often; some for what else the proxy does.
    expect(link().accepted - before).toBeLessThan(wires.length + 15)
    await link().heal()
    for (const wire of wires) expect(errorOf(await wire.until('Z'))?.['C']).toBe('57014')
    for (const wire of wires) expect(tagsOf(await wire.run('SELECT 1'))).toEqual(['SELECT 1'])
  })

  it('a server is nobody else’s before the cancel connection has ended', { timeout: 120_000 }, async () => {
    const pinned = await Promise.all(Array.from({ length: POOL_SIZE - 1 }, () => system.connect()))
    await Promise.all(pinned.map(wire => wire.run('BEGIN; SELECT 1 FROM countries')))
    const [late, next] = [await system.connect(), await system.connect()]
    for (let round = 0; round < 3; round++) {
      const trigger = link().when(CANCEL, 700)
      late.send(frames.query(`SELECT 'late ${round}' /* late */ FROM pg_sleep(0.4)`))
      await waitFor('the statement to run', async () => (await running('late')) === 1)
      await cancel(late)
      await trigger.fired
      expect(rowsOf(await late.until('Z'))).toEqual([[`late ${round}`]])
      // Of the pool's servers only that one is free: a cancel that comes late would hit this.
      const answer = await next.query(`SELECT 'next ${round}' FROM pg_sleep(0.8)`)
      expect(errorOf(answer)).toBeNull()
      expect(rowsOf(answer)).toEqual([[`next ${round}`]])
      trigger.remove()
    }
  })
})
