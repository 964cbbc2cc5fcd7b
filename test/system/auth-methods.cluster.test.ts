import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { BEFORE_AUTHENTICATION } from '../support/bad-messages.ts'
import { certificate } from '../support/certificates.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf } from '../support/messages.ts'
import { firstRequest, hashed, refusal, RIGHT, RIGHT_HASHED, users } from '../support/logins.ts'
import { changeConfig } from '../support/reload.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

describe.each([
  ['scram-sha-256', users, RIGHT],
  ['md5', [...users, hashed], RIGHT_HASHED],
  ['plain', [...users, hashed], RIGHT_HASHED],
] as const)('method %s', (method, list, right) => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers: 2, oracle: false, users: list, sections: { auth: { method } } })
  })
  afterAll(async () => await system.stop())
  afterEach(() => system.dropClients())

  const names = [...Object.keys(right), 'nobody']
  const wrongWords = ['', 'wrong', 'app', 'APP', 'clear-word', 'first-word', 'verified-word', 'hashed-word', '\u00e4']

  it.each(['cold', 'warm'])('right passwords enter, wrong ones never do: %s pools', async warmth => {
    const kept: Wire[] = []
    for (const user of names) {
      const good: readonly string[] = right[user as keyof typeof right] ?? []
      if (warmth === 'warm') {
        for (const password of good) {
          const wire = await system.connect({ user, password })
          expect(rowsOf(await wire.run('SELECT 1'))).toEqual([['1']])
          kept.push(wire)
        }
      }
      for (const password of wrongWords.filter(word => !good.includes(word))) {
        const fields = await refusal(system.connect({ user, password }))
        expect(fields).toMatchObject({
          S: 'FATAL',
          C: '28P01',
          M: `password authentication failed for user "${user}"`,
        })
        // What is stored is no password.
        for (const one of list) {
          for (const stored of [one.password].flat()) {
            if (!good.includes(stored) && method !== 'md5') await refusal(system.connect({ user, password: stored }))
          }
        }
      }
    }
    for (const wire of kept) await wire.end()
  })

  it('an unknown database is only told to who has the right password', async () => {
    expect(await refusal(system.connect({ database: 'nowhere', password: 'wrong' }))).toMatchObject({ C: '28P01' })
    expect(await refusal(system.connect({ database: 'nowhere', user: 'nobody' }))).toMatchObject({ C: '28P01' })
    expect(await refusal(system.connect({ database: 'nowhere' }))).toMatchObject({ C: '3D000' })
    expect(await refusal(system.connect({ database: 'shardway', password: 'wrong' }))).toMatchObject({ C: '28P01' })
    const other = system.connect({ database: 'shardway', user: 'clear', password: 'clear-word' })
    expect(await refusal(other)).toMatchObject({ C: '28000' })
  })

  it('asks who does not exist as it asks the others', async () => {
    const clear = await firstRequest(system, 'clear')
    for (const user of ['nobody', 'u'.repeat(63), "x' OR true --"])
      expect(await firstRequest(system, user)).toEqual(clear)
    // As in Postgres, method md5 means SCRAM for who has a verifier.
    if (method === 'md5') {
      expect(clear[0]).toBe(5)
      expect((await firstRequest(system, 'verified'))[0]).toBe(10)
      expect((await firstRequest(system, 'hashed'))[0]).toBe(5)
    } else expect(clear[0]).toBe(method === 'plain' ? 3 : 10)
  })

  it.each(BEFORE_AUTHENTICATION)('%s instead of a password', async (what, bytes) => {
    if (method === 'plain' && what === 'a plain password') return
    const wire = await system.open()
    wire.send(frames.startup({ user: 'app', database: 'app' }))
    expect((await wire.next()).type).toBe('R')
    wire.send(bytes)
    const error = errorOf(await wire.rest())
    expect(error?.['S']).toBe('FATAL')
    expect(error?.['C']).toMatch(/^(08P01|28P01)$/)
  })

  it.each([0, 3, 0x7fffffff, 0xffffffff, 65_540])('a password message of length %i', async length => {
    const wire = await system.open()
    wire.send(frames.startup({ user: 'app', database: 'app' }))
    await wire.next()
    wire.send(Buffer.concat([Buffer.from('p'), frames.int32(length), Buffer.alloc(2000, 'x')]))
    expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
    await system.isServing()
  })

  it.each('BCDEFHPQSXcdf!'.split(''))('a message of type %s before authentication is an error', async type => {
    const wire = await system.open()
    wire.send(frames.startup({ user: 'app', database: 'app' }))
    await wire.next()
    wire.send(frames.raw(type, Buffer.from('abc\0\0\0\0\0\0')))
    expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
    const before = await system.open()
    before.send(frames.raw(type, Buffer.from('abc\0\0\0\0\0\0')))
    expect(errorOf(await before.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
  })

  it('startup packets of up to 10 kB are read, longer ones are not', async () => {
    const packet = (bytes: number): Buffer => {
      const rest = { user: 'app', database: 'app', application_name: '' }
      const missing = bytes - frames.startup(rest).length
      return frames.startup({ ...rest, application_name: 'x'.repeat(missing) })
    }
    const most = await system.open()
    most.send(packet(10_000))
    expect((await most.next()).type).toBe('R')
    const more = await system.open()
    more.send(packet(10_001))
    expect(errorOf(await more.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
  })

  it('a password in pieces, and a query right behind it', async () => {
    if (method !== 'plain') return
    const wire = await system.open()
    const login = frames.startup({ user: 'two', database: 'app' })
    const rest = Buffer.concat([frames.password('second-word\0'), frames.query('SELECT 42')])
    await wire.sendSplit(Buffer.concat([login, rest]), 3, login.length + 2, login.length + 9)
    await wire.until('Z')
    expect(rowsOf(await wire.until('Z'))).toEqual([['42']])
    await wire.end()
  })
})

describe('method trust', () => {
  let system: System
  beforeAll(async () => {
    const list = [...users, { name: 'bare' }, { name: 'elsewhere', databases: ['shardway'] }]
    system = await startSystem({ workers: 1, oracle: false, users: list, sections: { auth: { method: 'trust' } } })
  })
  afterAll(async () => await system.stop())

  it('asks nobody, and lets in who is listed', async () => {
    for (const user of ['app', 'bare', 'verified']) await (await system.connect({ user, password: 'any' })).end()
    for (const user of ['nobody', 'elsewhere']) {
      expect(await refusal(system.connect({ user, password: 'any' }))).toMatchObject({ C: '28000' })
    }
    expect(await refusal(system.connect({ user: 'bare', database: 'shardway' }))).toMatchObject({ C: '28000' })
  })
})

describe('a login that takes too long', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers: 1, oracle: false, sections: { pool: { client_login_timeout: '1s' } } })
    const { certPath: cert, keyPath: key } = certificate('server')
    await changeConfig(system, { listen: { tls: { mode: 'prefer', cert, key } } })
  })
  afterAll(async () => await system.stop())

  it('ends by client_login_timeout, wherever it stands', async () => {
    const silent = await system.open()
    const half = await system.open()
    half.send(frames.startup({ user: 'app', database: 'app' }).subarray(0, 11))
    const asked = await system.open()
    asked.send(frames.startup({ user: 'app', database: 'app' }))
    for (const wire of [silent, half, asked]) {
      expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01', M: 'client_login_timeout' })
    }
    await system.isServing()
  })

  it('ends in the middle of a handshake too', async () => {
    const asked = await system.open()
    asked.send(frames.sslRequest)
    expect((await asked.bytes(1)).toString()).toBe('S')
    const direct = await system.open()
    direct.send(Buffer.from('1603010200', 'hex'))
    // A message would only be garbage there.
    for (const wire of [asked, direct]) expect(await wire.rest()).toEqual([])
    await system.isServing()
  })
})
