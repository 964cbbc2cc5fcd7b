import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { appServers } from '../support/app-servers.ts'
import { frames } from '../support/frames.ts'
import { errorOf, fieldsOf, type Message, rowsOf, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const user = (name: string, pool: Record<string, string | number>) => ({ name, password: 'app', pool })

describe.each([1, 2])('timeouts of clients, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { pool: { query_wait_notify: '100ms' } },
      users: [
        { name: 'app', password: 'app', admin: true },
        user('query', { query_timeout: '400ms' }),
        user('pause', { idle_transaction_timeout: '400ms' }),
        user('long', { transaction_timeout: '400ms' }),
        user('idle', { client_idle_timeout: '400ms' }),
        user('wait', { default_pool_size: 2, query_wait_timeout: '800ms' }),
      ],
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  const gone = (condition: string): Promise<unknown> =>
    waitFor('the server to be gone', async () => (await appServers(system, condition)) === 0)

  it('query_timeout ends the client and what it ran', async () => {
    const wire = await system.connect({ user: 'query' })
    wire.send(frames.query('SELECT pg_sleep(100)'))
    expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '57014', M: 'query_timeout' })
    await gone("query LIKE '%pg_sleep(100)%'")
  })

  it('query_timeout does not say that a write failed', async () => {
    const wire = await system.connect({ user: 'query' })
    wire.send(frames.query('INSERT INTO countries (code, name) SELECT pg_sleep(100)::text, $$slow$$'))
    expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08007', D: 'query_timeout' })
    await gone("query LIKE '%pg_sleep(100)%'")
  })

  it('query_timeout counts each statement by itself', async () => {
    const wire = await system.connect({ user: 'query' })
    const other = await system.connect({ user: 'query' })
    other.send(frames.query('SELECT pg_sleep(100)'))
    await wire.run('BEGIN')
    for (let i = 0; !other.closed; i++) expect(tagsOf(await wire.run(`SELECT ${i}`))).toEqual(['SELECT 1'])
    expect(tagsOf(await wire.run('COMMIT'))).toEqual(['COMMIT'])
  })

  it.each(['BEGIN; SELECT 1', 'BEGIN', 'BEGIN; SELECT 1/0'])('idle_transaction_timeout after %s', async sql => {
    const wire = await system.connect({ user: 'pause' })
    await wire.query(sql)
    expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '25P03', M: 'idle transaction timeout' })
    await gone("state LIKE 'idle in transaction%'")
  })

  it('idle_transaction_timeout between Flush and Sync', async () => {
    const wire = await system.connect({ user: 'pause' })
    wire.send(frames.parse('SELECT 1'), frames.bind(), frames.execute(), frames.flush)
    const seen = await wire.rest()
    expect(rowsOf(seen)).toEqual([['1']])
    expect(errorOf(seen)).toMatchObject({ C: '25P03' })
    await gone("state = 'active' OR state LIKE 'idle in transaction%'")
  })

  it('a slow COPY is not idle', async () => {
    const [copying, idle] = [await system.connect({ user: 'pause' }), await system.connect({ user: 'pause' })]
    await copying.run('BEGIN')
    copying.send(frames.query('COPY countries (code, name) FROM STDIN'))
    await copying.until('G')
    copying.send(frames.copyData('q1\tone\n'))
    // Begins after the COPY, and is ended for its pause.
    await idle.run('BEGIN; SELECT 1')
    expect(errorOf(await idle.rest())?.['C']).toBe('25P03')
    copying.send(frames.copyData('q2\ttwo\n'), frames.copyDone)
    expect(tagsOf(await copying.until('Z'))).toEqual(['COPY 2'])
    expect(tagsOf(await copying.run('ROLLBACK'))).toEqual(['ROLLBACK'])
  })

  it('transaction_timeout counts over all statements of a block', async () => {
    const wire = await system.connect({ user: 'long' })
    await wire.run('BEGIN')
    const end = await waitFor('the end', async () => {
      wire.send(frames.query('SELECT 1'))
      const seen = await wire.until('Z').catch(() => wire.rest())
      return errorOf(seen) ?? (wire.closed && { S: 'closed' })
    })
    // The error may have come behind an answer that was read for its end.
    if (end['S'] !== 'closed') expect(end).toMatchObject({ S: 'FATAL', C: '25P04', M: 'transaction timeout' })
    await gone("state LIKE 'idle in transaction%'")
  })

  it('transaction_timeout of an idle block and of one statement', async () => {
    for (const sql of ['BEGIN; SELECT 1', 'SELECT pg_sleep(100)']) {
      const wire = await system.connect({ user: 'long' })
      wire.send(frames.query(sql))
      expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '25P04', M: 'transaction timeout' })
      await gone("query LIKE '%pg_sleep(100)%' OR state LIKE 'idle in transaction%'")
    }
  })

  it('client_idle_timeout spares those who hold a server', async () => {
    const listener = await system.connect({ user: 'idle' })
    await listener.run('LISTEN news')
    const silent = await system.connect({ user: 'idle' })
    const idle = await system.connect({ user: 'idle' })
    await idle.run('SELECT 1')
    for (const wire of [silent, idle]) {
      expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '57P05', M: 'client_idle_timeout' })
    }
    await listener.run('NOTIFY news')
    await listener.end()
  })

  it('query_wait_notify and query_wait_timeout: who waits is told so, once, and why it is ended', async () => {
    const wires = await Promise.all(Array.from({ length: 4 }, () => system.connect({ user: 'wait' })))
    for (const wire of wires) wire.send(frames.query('BEGIN; SELECT 1'))
    // Two servers: two clients have one, two wait until they may no longer.
    const seen = await Promise.all(wires.map(toReadyOrEnd))
    const waited = seen.filter(messages => messages.at(-1)?.type === 'E')
    expect(waited).toHaveLength(2)
    for (const messages of waited) {
      expect(messages.map(({ type }) => type)).toEqual(['N', 'E'])
      const [notice] = messages
      if (notice === undefined) throw new Error('no notice')
      expect(fieldsOf(notice)).toMatchObject({
        S: 'NOTICE',
        M: 'No server connection available in postgres backend, client being queued',
      })
      expect(errorOf(messages)).toMatchObject({ S: 'FATAL', C: '57014', M: 'query_wait_timeout' })
    }
    for (const wire of wires.filter(one => !one.closed)) expect(tagsOf(await wire.run('COMMIT'))).toEqual(['COMMIT'])
  })
})

async function toReadyOrEnd(wire: Wire): Promise<Message[]> {
  const seen: Message[] = []
  for (;;) {
    const message = await wire.next().catch(() => null)
    if (message === null) return seen
    seen.push(message)
    if (message.type === 'Z') return seen
  }
}
