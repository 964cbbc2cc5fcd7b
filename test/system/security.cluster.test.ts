/** Rows of docs/internals/security.md that no other suite holds: what comes in before anybody has proved who he is. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import { lying, sasl } from '../support/bad-messages.ts'
import { frames } from '../support/frames.ts'
import { refusal } from '../support/logins.ts'
import { errorOf, fieldsOf, valueOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const STARTUP = frames.startup({ user: 'app', database: 'app' })
/** What a startup packet may be long; a name in it is a little shorter. */
const MAX_STARTUP_BYTES = 10_000
const LENGTHS = [1, 2, 62, 63, 64, 65, 127, 128, 255, 256, 1000, 4095, 8192, 9900, 9999, 65_536, 1_048_576]

describe.each([
  ['listed users', false],
  ['users of the servers', true],
])('before anybody has logged in, %s', (_, looked) => {
  let system: System
  let processes: number[]
  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      shards: 1,
      replicas: 0,
      oracle: false,
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'watch', password: 'watch', stats: true },
      ],
      sections: looked ? { auth: { query: 'default' } } : {},
    })
    processes = childrenOf(system.shardway.pid)
  })
  afterAll(async () => await system.stop())
  afterEach(async () => {
    system.dropClients()
    expect(childrenOf(system.shardway.pid)).toEqual(processes)
    await system.isServing()
  })

  it.each(LENGTHS)('names of %i bytes are names, or too long to be read', async length => {
    for (const [user, database, sqlstate] of [
      ['u'.repeat(length), 'app', '28P01'],
      ['ü'.repeat(Math.ceil(length / 2)), 'app', '28P01'],
      ['app', 'd'.repeat(length), '3D000'],
      ['u'.repeat(length), 'd'.repeat(length), '28P01'],
      // Nothing but a name: PgBouncer's "*" stands for all databases, a format's % for an argument.
      ['app', '*'.repeat(length), '3D000'],
      ['app', '%n'.repeat(Math.ceil(length / 2)), '3D000'],
      ['%s'.repeat(Math.ceil(length / 2)), 'app', '28P01'],
    ] as const) {
      const fits = frames.startup({ user, database }).length <= MAX_STARTUP_BYTES
      const fields = await refusal(system.connect({ user, database, password: 'app' }))
      expect(fields).toMatchObject({ S: 'FATAL', C: fits ? sqlstate : '08P01' })
      if (fits) expect(fields['M']).toContain(sqlstate === '28P01' ? `"${user}"` : `"${database}"`)
    }
  })

  it('every type of message before and instead of a password is an error', { timeout: 120_000 }, async () => {
    const body = Buffer.from('abc\0\0\0\0\0\0')
    for (let type = 0; type < 256; type++) {
      const message = Buffer.concat([Buffer.from([type]), frames.int32(body.length + 4), body])
      const before = await system.open()
      before.send(message)
      expect(errorOf(await before.rest()), `first: ${type}`).toMatchObject({ S: 'FATAL', C: '08P01' })
      if (type === 'p'.charCodeAt(0)) continue
      const during = await system.open()
      during.send(STARTUP)
      expect((await during.next()).type).toBe('R')
      during.send(message)
      expect(errorOf(await during.rest()), `during: ${type}`).toMatchObject({ S: 'FATAL', C: '08P01' })
    }
  })

  describe('a SCRAM exchange', () => {
    async function asked(): Promise<Wire> {
      const wire = await system.open()
      wire.send(STARTUP)
      expect((await wire.next()).type).toBe('R')
      return wire
    }
    async function ends(wire: Wire, what: string): Promise<void> {
      const messages = await wire.rest()
      expect(errorOf(messages), what).toMatchObject({ S: 'FATAL', C: expect.stringMatching(/^(08P01|28P01)$/) })
      expect(messages.map(({ type }) => type).filter(type => type === 'Z' || type === 'K')).toEqual([])
    }

    it('whose first message is cut anywhere', async () => {
      const whole = sasl('SCRAM-SHA-256', new ScramClient('app').first()).subarray(5)
      for (let length = 0; length < whole.length; length++) {
        const wire = await asked()
        wire.send(frames.password(whole.subarray(0, length)))
        await ends(wire, `cut to ${length}`)
      }
    })

    it.each([0, 1, 3, 4, 1000, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff])(
      'whose first message says that it holds %i bytes',
      async length => {
        const wire = await asked()
        wire.send(sasl('SCRAM-SHA-256', new ScramClient('app').first(), length))
        await ends(wire, 'a length that lies')
      },
    )

    it('whose last message is cut anywhere', async () => {
      for (let kept = 0; kept <= 100; kept += 7) {
        const wire = await asked()
        const scram = new ScramClient('app')
        wire.send(sasl('SCRAM-SHA-256', scram.first()))
        const last = scram.next((await wire.next()).body.subarray(4))
        wire.send(frames.password(last.subarray(0, Math.min(kept, last.length - 1))))
        await ends(wire, `cut to ${kept}`)
      }
    })

    it.each([0, 3, 65_540, 0x7fffffff, 0xffffffff])('whose last message is of length %i', async length => {
      const wire = await asked()
      const scram = new ScramClient('app')
      wire.send(sasl('SCRAM-SHA-256', scram.first()))
      await wire.next()
      wire.send(lying('p', length, Buffer.alloc(2000, 'x')))
      await ends(wire, 'a length that lies')
    })

    it('that is answered twice, or begun anew', async () => {
      for (const second of [sasl('SCRAM-SHA-256', new ScramClient('app').first()), STARTUP]) {
        const wire = await asked()
        wire.send(sasl('SCRAM-SHA-256', new ScramClient('app').first()))
        expect((await wire.next()).type).toBe('R')
        wire.send(second)
        await ends(wire, 'begun anew')
      }
    })
  })

  it('a refusal says nothing that depends on who exists', async () => {
    const shape = async (user: string, database: string): Promise<unknown> => {
      const wire = await system.open()
      wire.send(frames.startup({ user, database }))
      const seen = [await wire.next()]
      const scram = new ScramClient('wrong')
      wire.send(sasl('SCRAM-SHA-256', scram.first()))
      seen.push(await wire.next())
      wire.send(frames.password(scram.next(seen[1]!.body.subarray(4))))
      const rest = await wire.rest()
      const { M, ...fields } = fieldsOf(rest[0]!)
      expect(M).toBe(`password authentication failed for user "${user}"`)
      return [seen.map(({ type, body }) => [type, body.length]), fields, rest.length]
    }
    const known = await shape('watch', 'app')
    for (const user of ['witch', 'postgres', 'pg_monitor', '*']) {
      for (const database of ['app', 'nowhere', 'shardway', 'pgbouncer', '*']) {
        expect(await shape(user, database), `${user} ${database}`).toEqual(known)
      }
    }
  })

  it('the console asks for the password whatever the database would', async () => {
    for (const database of ['shardway', 'pgbouncer']) {
      for (const user of ['app', 'watch', 'nobody', 'postgres']) {
        expect(await refusal(system.connect({ database, user, password: 'wrong' }))).toMatchObject({ C: '28P01' })
      }
    }
    const client = await system.connect()
    expect(await valueOf(client, 'SELECT 1')).toBe('1')
    expect(await refusal(system.connect({ database: 'shardway', password: '' }))).toMatchObject({ C: '28P01' })
    await client.end()
  })
})
