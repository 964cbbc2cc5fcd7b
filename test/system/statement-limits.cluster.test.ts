import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { appServers } from '../support/app-servers.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

describe.each([1, 2])('limits on statements, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'rate', password: 'app', max_statements_per_second: 3 },
        { name: 'few', password: 'app', max_concurrent_statements: 2 },
      ],
      database: { max_concurrent_statements: 4 },
    })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    await waitFor('nothing to run', async () => (await appServers(system, "state = 'active'")) === 0)
  })

  const connectMany = (count: number, user: string): Promise<Wire[]> =>
    Promise.all(Array.from({ length: count }, () => system.connect({ user })))

  it('max_statements_per_second: an error that names it, and the connection lives on', async () => {
    const wires = await connectMany(4, 'rate')
    const seen = await Promise.all(wires.flatMap(wire => [wire.query('SELECT 1')]))
    const more = await Promise.all(wires.map(wire => wire.query('SELECT 1')))
    const errors = [...seen, ...more].map(errorOf).filter(error => error !== null)
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) {
      expect(error).toMatchObject({
        S: 'ERROR',
        C: '53400',
        M: 'max_statements_per_second of user "rate" is exceeded',
      })
      expect(error['H']).not.toBe('')
    }
    for (const wire of wires) {
      await waitFor('its turn', async () => tagsOf(await wire.query('SELECT 1'))[0] === 'SELECT 1')
    }
  })

  it('inside a block the block fails, and ROLLBACK is free', async () => {
    const wire = await system.connect({ user: 'rate' })
    await waitFor('a block', async () => errorOf(await wire.query('BEGIN; SELECT 1')) === null)
    const refused = await waitFor('the limit', async () => {
      const messages = await wire.query('SELECT 1')
      return errorOf(messages) !== null && messages
    })
    expect(errorOf(refused)?.['C']).toBe('53400')
    expect(statusOf(refused)).toBe('E')
    expect(statusOf(await wire.query('COMMIT'))).toBe('I')
  })

  it('a batch over the limit ends with one error and one ReadyForQuery', async () => {
    const wire = await system.connect({ user: 'rate' })
    const refused = await waitFor('the limit', async () => {
      const messages = await wire.exchange(frames.parse('SELECT 1'), frames.bind(), frames.execute())
      return errorOf(messages) !== null && messages
    })
    expect(refused.map(({ type }) => type)).toEqual(['E', 'Z'])
    expect(errorOf(refused)?.['C']).toBe('53400')
  })

  it('max_concurrent_statements, of a user and of a database, over all workers', async () => {
    const wires = await connectMany(4, 'few')
    const [a, b, c, d] = wires as [Wire, Wire, Wire, Wire]
    for (const wire of [a, b]) wire.send(frames.query('SELECT pg_sleep(100)'))
    await waitFor('both to run', async () => (await appServers(system, "query LIKE '%pg_sleep(100)%'")) === 2)
    for (const wire of [c, d]) {
      expect(errorOf(await wire.query('SELECT 1'))).toMatchObject({
        C: '53400',
        M: 'max_concurrent_statements of user "few" is exceeded',
      })
    }
    const others = await connectMany(3, 'app')
    const [e, f, g] = others as [Wire, Wire, Wire]
    for (const wire of [e, f]) wire.send(frames.query('SELECT pg_sleep(100)'))
    await waitFor('four to run', async () => (await appServers(system, "query LIKE '%pg_sleep(100)%'")) === 4)
    expect(errorOf(await g.query('SELECT 1'))).toMatchObject({
      C: '53400',
      M: 'max_concurrent_statements of database "app" is exceeded',
    })
    // One that ends, is cancelled, or whose client leaves makes room.
    a.destroy()
    expect(await waitFor('room', async () => rowsOf(await c.query('SELECT 1'))[0])).toEqual(['1'])
  })
})
