import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import { frames } from '../support/frames.ts'
import { errorOf, type Message, rowsOf, statusOf } from '../support/messages.ts'
import { childrenOf, residentBytes } from '../support/processes.ts'
import { seeded } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire, WireError } from '../support/wire.ts'

const GIGABYTE = 0x40000000
/** What a garbage length may cost at most, over all processes. */
const MEMORY_BOUND_BYTES = 256 * 1024 * 1024

const { int32 } = frames
const zeros = (count: number): Buffer => Buffer.alloc(count)
/** A frame whose length field says something else than its length. */
const lying = (type: string, length: number, body: Buffer = zeros(0)): Buffer =>
  Buffer.concat([Buffer.from(type, 'latin1'), int32(length), body])

const sasl = (mechanism: string, body: Buffer, length = body.length): Buffer =>
  frames.password(Buffer.concat([Buffer.from(`${mechanism}\0`), int32(length), body]))
const startup = frames.startup({ user: 'app', database: 'app' })

/** First bytes that start no session. */
const BEFORE_STARTUP: ReadonlyArray<readonly [string, Buffer]> = [
  ['nothing but zeros', zeros(64)],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a TLS hello without a request for TLS', Buffer.from('160301020001000'.padEnd(1024, '7'), 'hex')],
  ['random bytes', Buffer.from('9f3c11d0aa7768f1b0c9e3d2'.repeat(20), 'hex')],
  ['a Query', frames.query('SELECT 1')],
  ['a Terminate', frames.terminate],
  ['a password', frames.password('app\0')],
  ['a startup packet of 1 GB', Buffer.concat([int32(GIGABYTE), int32(196608), zeros(100)])],
  ['a startup packet of 2 GB', Buffer.concat([int32(0x7fffffff), int32(196608), zeros(100)])],
  ['a startup packet of negative length', Buffer.concat([int32(-1), int32(196608), zeros(100)])],
  ['a startup packet of length 4', Buffer.concat([int32(4), int32(196608)])],
  ['a startup packet of length 0', Buffer.concat([int32(0), int32(196608)])],
  ['a startup packet of a megabyte', frames.startup({ user: 'app', database: 'd'.repeat(1024 * 1024) })],
  ['a startup packet without its end', Buffer.concat([int32(20), int32(196608), Buffer.from('user\0app\0da')])],
  ['a startup packet without a user', frames.startup({ database: 'app' })],
  ['protocol 2.0', frames.startup({ user: 'app' }, 2 << 16)],
  ['protocol 4.0', frames.startup({ user: 'app' }, 4 << 16)],
  ['a cancel request that is too short', Buffer.concat([int32(8), int32(80877102)])],
  ['a cancel request of nobody', frames.cancel(12345, Buffer.from([1, 2, 3, 4]))],
  ['a cancel request with a huge key', frames.cancel(12345, zeros(9000))],
  ['SSLRequest with a startup packet behind it', Buffer.concat([frames.sslRequest, startup])],
  ['SSLRequest with a Query behind it', Buffer.concat([frames.sslRequest, frames.query('SELECT 1')])],
  ['GSSENCRequest with a startup packet behind it', Buffer.concat([frames.gssRequest, startup])],
]

/** What a client must not say instead of its password. */
const BEFORE_AUTHENTICATION: ReadonlyArray<readonly [string, Buffer]> = [
  ['a Query', frames.query('SELECT 1')],
  ['a Parse', frames.parse('SELECT 1')],
  ['a Sync', frames.sync],
  ['CopyData', frames.copyData('x')],
  ['a plain password', frames.password('app\0')],
  ['an empty answer', frames.password('')],
  ['an unknown mechanism', sasl('SCRAM-SHA-1', Buffer.from('n,,n=,r=abcdefgh'))],
  [
    'SCRAM-SHA-256-PLUS, which is not offered',
    sasl('SCRAM-SHA-256-PLUS', Buffer.from('p=tls-server-end-point,,n=,r=abc')),
  ],
  ['channel binding', sasl('SCRAM-SHA-256', Buffer.from('p=tls-server-end-point,,n=,r=abc'))],
  ['garbage', sasl('SCRAM-SHA-256', Buffer.from('garbage'))],
  ['a negative length inside', sasl('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefgh'), -5)],
  ['a length inside past the end', sasl('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefgh'), 0x7fffffff)],
  ['no length inside', frames.password('SCRAM-SHA-256\0')],
  ['a mechanism without its end', frames.password('SCRAM-SHA-256')],
  ['a message of 1 GB', lying('p', GIGABYTE, zeros(1000))],
  ['a message of negative length', lying('p', -1, zeros(1000))],
  ['a message of length 3', lying('p', 3, zeros(10))],
  ['a message of a megabyte', frames.password(zeros(1024 * 1024))],
  ['an unknown type', lying('\0', 4)],
  ['another startup packet', startup],
]

/** Messages that are wrong in themselves. */
const MALFORMED: ReadonlyArray<readonly [string, Buffer]> = [
  ['an unknown type', lying('z', 8, zeros(4))],
  ['type 0', lying('\0', 4)],
  ['type 255', lying('\xff', 4)],
  ['length 0', lying('Q', 0, zeros(20))],
  ['length 3', lying('Q', 3, zeros(20))],
  ['a negative length', lying('Q', -1, zeros(20))],
  ['the least length', lying('Q', -2147483648, zeros(20))],
  ['1 GB', lying('Q', GIGABYTE, zeros(1000))],
  ['2 GB', lying('Q', 0x7fffffff, zeros(1000))],
  ['a Sync of 1 GB', lying('S', GIGABYTE, zeros(1000))],
  ['a Bind of 2 GB', lying('B', 0x7fffffff, zeros(1000))],
  ['a password now', frames.password('app\0')],
  ['a startup packet now', startup],
  ['a Query without its end', frames.raw('Q', Buffer.from('SELECT 1'))],
  ['an empty Query', frames.raw('Q')],
  ['a Query with bytes after its end', frames.raw('Q', Buffer.from('SELECT 1\0garbage'))],
  ['a Query that is no UTF-8', frames.raw('Q', Buffer.from("SELECT '\xff\xfe'\0", 'latin1'))],
  ['an empty Parse', frames.raw('P')],
  ['a Parse without the end of its name', frames.raw('P', Buffer.from('name'))],
  ['a Parse without the end of its text', frames.raw('P', Buffer.from('\0SELECT 1'))],
  ['a Parse without its count', frames.raw('P', Buffer.from('\0SELECT 1\0'))],
  ['a Parse with too few types', frames.raw('P', Buffer.from('\0SELECT 1\0\x00\x05', 'latin1'), zeros(4))],
  ['a Parse with 65535 types', frames.raw('P', Buffer.from('\0SELECT 1\0\xff\xff', 'latin1'))],
  ['an empty Bind', frames.raw('B')],
  ['a Bind that is cut', frames.raw('B', Buffer.from('\0\0\0\0\0'))],
  ['a Bind with too many formats', frames.raw('B', Buffer.from('\0\0\xff\xff', 'latin1'), zeros(2))],
  ['a Bind with too many parameters', frames.raw('B', Buffer.from('\0\0\0\0\xff\xff', 'latin1'), zeros(2))],
  [
    'a Bind with a parameter past the end',
    frames.raw('B', Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(GIGABYTE), zeros(4)),
  ],
  ['a Bind with a length of -2', frames.raw('B', Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(-2), zeros(4))],
  ['a Bind with bytes after its end', frames.raw('B', Buffer.from('\0\0\0\0\0\0\0\0garbage'))],
  ['a Bind with a bad format', frames.raw('B', Buffer.from('\0\0\0\x01\0\x07\0\0\0\0', 'latin1'))],
  ['an empty Describe', frames.raw('D')],
  ['a Describe of X', frames.raw('D', Buffer.from('X\0'))],
  ['a Describe without its end', frames.raw('D', Buffer.from('Sname'))],
  ['an empty Execute', frames.raw('E')],
  ['an Execute without its limit', frames.raw('E', Buffer.from('\0'))],
  ['a Close of X', frames.raw('C', Buffer.from('X\0'))],
  ['a Sync with a body', frames.raw('S', zeros(4))],
  ['a Flush with a body', frames.raw('H', zeros(4))],
  ['a function call', frames.raw('F', int32(1598), Buffer.from([0, 0, 0, 0, 0, 1]))],
  ['a function call that is cut', frames.raw('F', zeros(3))],
]

/** States a session can be in, and how it gets there. */
const STATES: ReadonlyArray<readonly [string, (wire: Wire) => Promise<void>]> = [
  ['idle', () => Promise.resolve()],
  ['in a transaction', async wire => void (await wire.run("BEGIN; UPDATE customers SET note = 'lost' WHERE id = 1"))],
  ['in a failed transaction', async wire => void (await wire.query('BEGIN; SELECT 1/0'))],
  [
    'in a batch',
    async wire => {
      wire.send(frames.parse('SELECT name FROM customers WHERE id = 1'), frames.flush)
      await wire.until('1')
    },
  ],
  [
    'in COPY',
    async wire => {
      wire.send(frames.query('COPY notes FROM STDIN'))
      await wire.until('G')
    },
  ],
  ['while a statement runs', wire => Promise.resolve(wire.send(frames.query('SELECT pg_sleep(0.05)')))],
]

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

  async function refusal(options: Parameters<System['connect']>[0]): Promise<Record<string, string>> {
    try {
      await system.connect(options)
    } catch (error) {
      if (error instanceof WireError) return error.fields
      throw error
    }
    throw new Error('the login succeeded')
  }

  describe('logging in', () => {
    it('wrong password, unknown user: the same answer', async () => {
      const wrong = await refusal({ password: 'wrong' })
      expect(wrong).toMatchObject({ S: 'FATAL', C: '28P01', M: 'password authentication failed for user "app"' })
      const unknown = await refusal({ user: 'nobody' })
      expect(unknown).toEqual({ ...wrong, M: 'password authentication failed for user "nobody"' })
      expect(await refusal({ password: '' })).toEqual(wrong)
      expect(await refusal({ user: "x'; DROP TABLE customers; --" })).toMatchObject({ C: '28P01' })
      expect(await refusal({ user: 'u'.repeat(5000) })).toMatchObject({ C: '28P01' })
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
      expect(await refusal({ database: 'nowhere' })).toMatchObject({
        S: 'FATAL',
        C: '3D000',
        M: 'database "nowhere" does not exist',
      })
      expect(await refusal({ database: 'nowhere', password: 'wrong' })).toMatchObject({ C: '28P01' })
      expect(await refusal({ database: 'nowhere', user: 'nobody' })).toMatchObject({ C: '28P01' })
      expect(await refusal({ database: 'd'.repeat(5000) })).toMatchObject({ C: '3D000' })
    })

    it('a database that the user may not enter', async () => {
      const fields = await refusal({ user: 'elsewhere' })
      expect(['42501', '3D000', '28000']).toContain(fields['C'])
    })

    it('an unknown parameter', async () => {
      expect(await refusal({ parameters: { nonsense: '1' } })).toMatchObject({ S: 'FATAL', C: '42704' })
      expect(await refusal({ parameters: { TimeZone: 'nowhere' } })).toMatchObject({ S: 'FATAL', C: '22023' })
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
