import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import {
  BEFORE_AUTHENTICATION,
  BEFORE_STARTUP,
  GIGABYTE,
  lying,
  MALFORMED,
  sasl,
  STATES,
  startup,
  zeros,
} from '../support/bad-messages.ts'
import { frames } from '../support/frames.ts'
import { errorOf, type Message, rowsOf, statusOf } from '../support/messages.ts'
import { childrenOf, residentBytes } from '../support/processes.ts'
import { seeded } from '../support/random.ts'
import { refusal } from '../support/logins.ts'
import { startSystem, type System } from '../support/system.ts'

/** What a garbage length may cost at most, over all processes. */
const MEMORY_BOUND_BYTES = 256 * 1024 * 1024

describe.each([1, 2])('bad input, workers=%i', workers => {
  let system: System
  let workerPids: number[]

  beforeAll(async () => {
    system = await startSystem({
      workers,
      oracle: false,
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'elsewhere', password: 'app', databases: [] },
      ],
    })
    const wire = await system.connect()
    for (let id = 1; id <= 4; id++) await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`)
    await wire.end()
    workerPids = childrenOf(system.shardway.pid)
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    const wire = await system.connect()
    for (let id = 1; id <= 4; id++) {
      expect(rowsOf(await wire.run(`SELECT name, note FROM customers WHERE id = ${id}`))).toEqual([
        [`customer ${id}`, null],
      ])
    }
    await wire.end()
    expect(system.shardway.running).toBe(true)
    expect(childrenOf(system.shardway.pid)).toEqual(workerPids)
  })

  it('who goes on sending megabytes still reads why it was ended', async () => {
    const more = zeros(4 * 1024 * 1024)
    for (let round = 0; round < 10; round++) {
      const login = await system.open()
      login.send(startup, frames.password(''), more)
      expect(errorOf(await login.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
      const wire = await system.connect()
      wire.send(frames.query('SELECT 1'), lying('z', 8, zeros(4)), more)
      expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
      const console = await system.console()
      console.send(frames.parse('SELECT 1'), more)
      expect(errorOf(await console.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
    }
  })

  describe('logging in', () => {
    it('wrong password, unknown user: the same answer', async () => {
      const wrong = await refusal(system.connect({ password: 'wrong' }))
      expect(wrong).toMatchObject({ S: 'FATAL', C: '28P01', M: 'password authentication failed for user "app"' })
      const unknown = await refusal(system.connect({ user: 'nobody' }))
      expect(unknown).toEqual({ ...wrong, M: 'password authentication failed for user "nobody"' })
      expect(await refusal(system.connect({ password: '' }))).toEqual(wrong)
      expect(await refusal(system.connect({ user: "x'; DROP TABLE customers; --" }))).toMatchObject({ C: '28P01' })
      expect(await refusal(system.connect({ user: 'u'.repeat(5000) }))).toMatchObject({ C: '28P01' })
    })

    it('an unknown user goes through the same exchange', async () => {
      const exchange = async (user: string): Promise<Array<readonly [string, number]>> => {
        const wire = await system.open()
        wire.send(frames.startup({ user, database: 'app' }))
        const seen: Message[] = [await wire.next()]
        const scram = new ScramClient('wrong')
        wire.send(sasl('SCRAM-SHA-256', scram.first()))
        seen.push(await wire.next())
        wire.send(frames.password(scram.next(seen[1]?.body.subarray(4) ?? zeros(0))))
        seen.push(...(await wire.rest()))
        return seen.map(({ type, body }) => [type, body.length] as const)
      }
      expect(await exchange('xyz')).toEqual(await exchange('app'))
    })

    it('unknown database: said after authentication only', async () => {
      expect(await refusal(system.connect({ database: 'nowhere' }))).toMatchObject({
        S: 'FATAL',
        C: '3D000',
        M: 'database "nowhere" does not exist',
      })
      expect(await refusal(system.connect({ database: 'nowhere', password: 'wrong' }))).toMatchObject({ C: '28P01' })
      expect(await refusal(system.connect({ database: 'nowhere', user: 'nobody' }))).toMatchObject({ C: '28P01' })
      expect(await refusal(system.connect({ database: 'd'.repeat(5000) }))).toMatchObject({ C: '3D000' })
    })

    it('a database that the user may not enter', async () => {
      const fields = await refusal(system.connect({ user: 'elsewhere' }))
      expect(['42501', '3D000', '28000']).toContain(fields['C'])
    })

    it('an unknown parameter', async () => {
      expect(await refusal(system.connect({ parameters: { nonsense: '1' } }))).toMatchObject({ S: 'FATAL', C: '42704' })
      expect(await refusal(system.connect({ parameters: { TimeZone: 'nowhere' } }))).toMatchObject({
        S: 'FATAL',
        C: '22023',
      })
    })

    it.each(BEFORE_STARTUP)('%s', async (_, bytes) => {
      const wire = await system.open()
      wire.send(bytes)
      wire.socket.end()
      const answer: Buffer[] = []
      wire.socket.on('data', chunk => answer.push(chunk))
      if (!wire.closed) await new Promise<void>(resolve => wire.socket.once('close', () => resolve()))
      // Nothing, an N, or an error: never a request for a password or more.
      const said = Buffer.concat(answer).toString('latin1')
      expect(said).toMatch(/^N?(E[^]*)?$/)
      wire.destroy()
    })

    it.each(BEFORE_AUTHENTICATION)('%s instead of a password', async (_, bytes) => {
      const before = residentBytes(system.shardway.pid)
      const wire = await system.open()
      wire.send(startup)
      expect((await wire.next()).type).toBe('R')
      wire.send(bytes)
      const error = errorOf(await wire.rest())
      expect(error?.['S']).toBe('FATAL')
      expect(error?.['C']).toMatch(/^(08P01|28000|28P01|54000|0A000)$/)
      expect(residentBytes(system.shardway.pid) - before).toBeLessThan(MEMORY_BOUND_BYTES)
    })

    it('refuses requests for encryption politely', async () => {
      const wire = await system.open()
      wire.send(frames.gssRequest)
      expect((await wire.bytes(1)).toString()).toBe('N')
      wire.send(frames.sslRequest)
      expect((await wire.bytes(1)).toString()).toBe('N')
      await wire.login(system.target())
      await wire.run('SELECT 1')
      await wire.end()
    })

    it('minor versions and protocol extensions are negotiated', async () => {
      for (const [version, options] of [
        [196610, {}],
        [196608, { '_pq_.unknown': '1' }],
        [196609, {}],
      ] as const) {
        const wire = await system.open()
        wire.send(frames.startup({ user: 'app', database: 'app', ...options }, version))
        const first = await wire.next()
        expect(['R', 'v']).toContain(first.type)
        if ('_pq_.unknown' in options) {
          expect(first.type).toBe('v')
          expect(first.body.toString('latin1')).toContain('_pq_.unknown')
        }
        wire.destroy()
      }
    })

    it('halves of a startup packet, held for as long as one likes, hold up nobody', async () => {
      const held = await Promise.all(Array.from({ length: 50 }, () => system.open()))
      for (const [i, wire] of held.entries()) wire.send(startup.subarray(0, 1 + (i % (startup.length - 1))))
      await system.isServing()
      for (const wire of held) wire.destroy()
    })
  })

  describe.each(STATES)('%s', (state, enter) => {
    it.each(MALFORMED)('%s', async (_what, bytes) => {
      const before = residentBytes(system.shardway.pid)
      const wire = await system.connect()
      await enter(wire)
      wire.send(bytes, frames.sync, frames.terminate)
      const messages = await wire.rest()
      // A clear error, unless the message was harmless; after it the session goes on to its Sync or ends.
      const error = errorOf(messages)
      if (error !== null) expect(error['C']).toMatch(/^[0-9A-Z]{5}$/)
      // In COPY, Flush and Sync are dropped whatever is in them, and Terminate ends the session without a word.
      else if (state !== 'in COPY') expect(statusOf(messages)).not.toBe('')
      if (error?.['S'] === 'FATAL') expect(messages.at(-1)?.type).toBe('E')
      expect(residentBytes(system.shardway.pid) - before).toBeLessThan(MEMORY_BOUND_BYTES)
    })
  })

  it.each([
    ['a length of 1 GB', lying('Q', GIGABYTE, zeros(100)), /^(08P01|54000)$/],
    ['a negative length', lying('Q', -1, zeros(100)), /^08P01$/],
    ['an unknown type', lying('z', 4), /^08P01$/],
    [
      'a Bind that is cut',
      Buffer.concat([frames.parse('SELECT 1'), frames.raw('B', Buffer.from('\0\0\0\x01'))]),
      /^08P01$/,
    ],
    ['a Parse that is cut', frames.raw('P', Buffer.from('\0SELECT 1')), /^08P01$/],
    ['a Describe of X', frames.raw('D', Buffer.from('X\0')), /^08P01$/],
  ])('%s: 08P01', async (_, bytes, sqlstate) => {
    const wire = await system.connect()
    wire.send(bytes, frames.sync)
    const error = errorOf(await wire.until('E'))
    expect(error?.['C']).toMatch(sqlstate)
    expect(error?.['M']).not.toBe('')
    wire.destroy()
  })

  it('random bytes on sessions of all kinds', { timeout: 120_000 }, async () => {
    const random = seeded(`bad input, workers=${workers}`)
    const good = Buffer.concat([
      frames.parse('SELECT name FROM customers WHERE id = $1', 's'),
      frames.bind({ statement: 's', parameters: ['2'] }),
      frames.describePortal(),
      frames.execute(),
      frames.sync,
      frames.query('SELECT 1'),
      frames.closeStatement('s'),
      frames.sync,
    ])
    for (let round = 0; round < 300; round++) {
      const wire = random.chance(0.8) ? await system.connect() : await system.open()
      const bytes = Buffer.from(good)
      for (let i = 1 + random.below(4); i > 0; i--) bytes[random.below(bytes.length)] = random.below(256)
      const cut = random.chance(0.3) ? random.below(bytes.length) : bytes.length
      wire.send(bytes.subarray(0, cut))
      wire.socket.end()
      await wire.rest()
      wire.destroy()
    }
  })
})
