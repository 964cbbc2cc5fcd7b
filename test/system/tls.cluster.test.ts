import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { certificate } from '../support/certificates.ts'
import { frames } from '../support/frames.ts'
import { columnsOf, errorOf, rowsOf } from '../support/messages.ts'
import { findProgram, runProgram } from '../support/programs.ts'
import { changeConfig, reload } from '../support/reload.ts'
import { refusal } from '../support/logins.ts'
import { startSystem, type System, type SystemOptions } from '../support/system.ts'
import { connectTls, endPointOf, loginPlus, openTls, type TlsOptions } from '../support/tls-wire.ts'
import { Wire, type WireOptions } from '../support/wire.ts'

const ca = certificate('ca')
const server = certificate('server')

function listen(mode: string, withCa = false, cert = server): Record<string, string> {
  return { mode, cert: cert.certPath, key: cert.keyPath, ...(withCa ? { ca: ca.certPath } : {}) }
}

async function start(mode: string, users?: SystemOptions['users']): Promise<System> {
  const system = await startSystem({ workers: 2, oracle: false, ...(users === undefined ? {} : { users }) })
  await changeTls(system, listen(mode))
  return system
}

async function changeTls(system: System, tls: Record<string, string>): Promise<void> {
  await changeConfig(system, { listen: { tls } })
}

async function works(wire: Wire): Promise<void> {
  expect(rowsOf(await wire.run('SELECT 1'))).toEqual([['1']])
  await wire.end()
}

describe('TLS to clients', () => {
  let system: System
  let target: WireOptions
  beforeAll(async () => {
    system = await start('prefer', [
      { name: 'app', password: 'app', admin: true },
      { name: 'other', password: 'other' },
    ])
    target = system.target()
  })
  afterAll(async () => await system.stop())

  it('disable: an SSLRequest is answered N, a handshake is not begun', async () => {
    await changeTls(system, listen('disable'))
    await works(await system.connect())
    await expect(openTls(target)).rejects.toThrow('answered N')
    await expect(openTls(target, { direct: ['postgresql'] })).rejects.toThrow()
  })

  it('each login is counted once', async () => {
    await changeTls(system, listen('prefer'))
    const console = await system.console()
    const lists = async (): Promise<Record<string, number>> =>
      Object.fromEntries(rowsOf(await console.run('SHOW LISTS')).map(([name, count]) => [name, Number(count)]))
    const before = await lists()
    for (let i = 0; i < 5; i++) await works(await connectTls(target, { ca: ca.cert }))
    await waitFor('them to be gone', async () => (await lists())['used_clients'] === before['used_clients'])
    expect((await lists())['login_clients']).toBe(before['login_clients'])
    await console.end()
  })

  it.each(['allow', 'prefer'])('%s: both', async mode => {
    await changeTls(system, listen(mode))
    await works(await system.connect())
    await works(await connectTls(target, { ca: ca.cert }))
  })

  it('require: plain text is refused before anybody is asked for a password', async () => {
    await changeTls(system, listen('require'))
    await works(await connectTls(target, { ca: ca.cert }))
    for (const user of ['app', 'nobody']) {
      const fields = await refusal(Wire.connect({ ...target, user }))
      expect(fields).toMatchObject({ S: 'FATAL', C: '28000', M: 'TLS is required' })
      expect(fields['H']).toContain('sslmode=require')
    }
    const wire = await connectTls(target)
    const console = await connectTls({ ...target, database: 'shardway' })
    const clients = await console.run('SHOW CLIENTS')
    const tlsAt = clients
      .flatMap(message => (message.type === 'T' ? columnsOf(message) : []))
      .findIndex(one => one.name === 'tls')
    expect(rowsOf(clients).map(row => row[tlsAt])).toContainEqual(expect.stringMatching(/^TLSv1\.[23]\/TLS_/))
    await wire.end()
    await console.end()
  })

  it('verify-ca: a certificate of our authority, whoever’s it is', async () => {
    await changeTls(system, listen('verify-ca', true))
    await works(await connectTls(target, { certificate: certificate('client-app') }))
    await works(await connectTls(target, { certificate: certificate('client-other') }))
    expect(await refusal(Wire.connect(target))).toMatchObject({ C: '28000', M: 'TLS is required' })
    for (const options of [{}, { certificate: certificate('client-forged') }] as TlsOptions[]) {
      const fields = await refusal(connectTls(target, options))
      expect(fields).toMatchObject({ S: 'FATAL', C: '28000', M: 'connection requires a valid client certificate' })
    }
    // The certificate comes on top of the password.
    const wrong = connectTls({ ...target, password: 'wrong' }, { certificate: certificate('client-app') })
    expect(await refusal(wrong)).toMatchObject({ C: '28P01' })
  })

  it('verify-full: the certificate must be the user’s own', async () => {
    await changeTls(system, listen('verify-full', true))
    await works(await connectTls(target, { certificate: certificate('client-app') }))
    const fields = await refusal(connectTls(target, { certificate: certificate('client-other') }))
    expect(fields).toMatchObject({ C: '28000', M: 'certificate authentication failed for user "app"' })
  })

  it('method cert: the certificate is the login, to the console too', async () => {
    await changeConfig(system, { listen: { tls: listen('verify-ca', true) }, auth: { method: 'cert' } })
    const none = { ...target, password: '' }
    await works(await connectTls(none, { certificate: certificate('client-app') }))
    await works(await connectTls({ ...none, user: 'other' }, { certificate: certificate('client-other') }))
    await (await connectTls({ ...none, database: 'shardway' }, { certificate: certificate('client-app') })).end()
    const other = { ...none, user: 'other', database: 'shardway' }
    expect(await refusal(connectTls(other, { certificate: certificate('client-other') }))).toMatchObject({ C: '28000' })
    for (const [user, name] of [
      ['app', 'client-other'],
      ['nobody', 'client-nobody'],
      ['nobody', 'client-app'],
    ] as const) {
      const fields = await refusal(connectTls({ ...target, user }, { certificate: certificate(name) }))
      expect(fields).toMatchObject({ C: '28000', M: `certificate authentication failed for user "${user}"` })
    }
    expect(await refusal(connectTls(target))).toMatchObject({ M: 'connection requires a valid client certificate' })
    await changeConfig(system, { auth: { method: 'scram-sha-256' } })
  })

  it('direct TLS needs the protocol’s name, as Postgres does', async () => {
    await changeTls(system, listen('require'))
    await works(await connectTls(target, { direct: ['postgresql'], ca: ca.cert }))
    await works(await connectTls(target, { direct: ['http/1.1', 'postgresql'] }))
    await expect(openTls(target, { direct: ['http/1.1'] })).rejects.toThrow()
    const without = await openTls(target, { direct: [] })
    expect(errorOf(await without.rest())).toMatchObject({ S: 'FATAL', C: '08P01', M: expect.stringContaining('ALPN') })
  })

  it('a request for encryption inside TLS is refused', async () => {
    for (const request of [frames.sslRequest, frames.gssRequest]) {
      const wire = await openTls(target)
      wire.send(request)
      expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
    }
  })

  it('bytes behind an SSLRequest are never taken for encrypted', async () => {
    await changeTls(system, listen('prefer'))
    for (const behind of [
      frames.startup({ user: 'app', database: 'app' }),
      frames.query('SELECT 1'),
      Buffer.from('x'),
    ]) {
      for (const request of [frames.sslRequest, frames.gssRequest]) {
        const wire = await system.open()
        wire.send(request, behind)
        expect(errorOf(await wire.rest())).toMatchObject({ S: 'FATAL', C: '08P01' })
      }
    }
    // In a packet of their own they are a handshake that fails.
    const wire = await system.open()
    wire.send(frames.sslRequest)
    expect((await wire.bytes(1)).toString()).toBe('S')
    wire.send(frames.startup({ user: 'app', database: 'app' }), frames.query('SELECT 1'))
    if (!wire.closed) await new Promise<void>(resolve => wire.socket.once('close', () => resolve()))
    await system.isServing()
  })

  it('many at once, in pieces', async () => {
    const wires = await Promise.all(Array.from({ length: 20 }, () => connectTls(target, { ca: ca.cert })))
    await Promise.all(wires.map(works))
  })

  it('SIGHUP brings a new certificate, without a restart and without a word to who is connected', async () => {
    const folder = system.shardway.folder
    const files = { certPath: join(folder, 'server.crt'), keyPath: join(folder, 'server.key') }
    const install = (name: string): void => {
      copyFileSync(certificate(name).certPath, files.certPath)
      copyFileSync(certificate(name).keyPath, files.keyPath)
    }
    const shown = async (): Promise<string> => {
      const wire = await openTls(target, { ca: ca.cert })
      const { fingerprint256 } = (wire.socket as TLSSocket).getPeerCertificate()
      wire.destroy()
      return fingerprint256
    }
    install('server')
    await changeTls(system, { ...listen('require'), cert: 'server.crt', key: 'server.key' })
    const first = await shown()
    const old = await connectTls(target, { ca: ca.cert })

    install('renewed')
    expect(await shown()).toBe(first)
    await reload(system, 'reloaded')
    const second = await shown()
    expect(second).not.toBe(first)
    await works(old)
    // The channel is bound to the new one.
    const wire = await openTls(target)
    await loginPlus(wire, target, endPointOf(wire))
    await works(wire)

    // A key that does not belong to it, then a file that is no certificate: nothing changes, and the log says so.
    copyFileSync(certificate('server').keyPath, files.keyPath)
    await reload(system, 'reload-refused')
    expect(await shown()).toBe(second)
    await changeConfig(system, { listen: { tls: { ...listen('require'), cert: 'gone.crt' } } }, 'reload-refused')
    expect(await shown()).toBe(second)
    expect(system.shardway.lines.join('\n')).toContain('gone.crt')
    expect(system.shardway.lines.join('\n')).not.toContain('PRIVATE KEY')
  })
})

describe('SCRAM-SHA-256-PLUS', () => {
  let system: System
  let target: WireOptions
  beforeAll(async () => {
    system = await start('prefer')
    target = system.target()
  })
  afterAll(async () => await system.stop())

  it('is offered under TLS only', async () => {
    const wire = await openTls(target)
    expect(await loginPlus(wire, target, endPointOf(wire))).toEqual(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'])
    await works(wire)
    const plain = await system.open()
    plain.send(frames.startup({ user: 'app', database: 'app' }))
    expect((await plain.next()).body.subarray(4).toString('latin1')).toBe('SCRAM-SHA-256\0\0')
  })

  it('another certificate’s end point is somebody between', async () => {
    const wire = await openTls(target)
    await expect(loginPlus(wire, target, Buffer.alloc(32))).rejects.toMatchObject({ fields: { C: '28000' } })
    const wrong = await openTls(target)
    const login = loginPlus(wrong, { ...target, password: 'wrong' }, endPointOf(wrong))
    await expect(login).rejects.toMatchObject({ fields: { C: '28P01' } })
  })

  it('a list of mechanisms that somebody shortened is noticed', async () => {
    const wire = await openTls(target)
    wire.send(frames.startup({ user: 'app', database: 'app' }))
    await wire.next()
    const first = Buffer.from('y,,n=,r=abcdefgh')
    wire.send(frames.password(Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), frames.int32(first.length), first])))
    expect(errorOf(await wire.rest())).toMatchObject({ C: '28000' })
  })

  it('psql insists on it', async () => {
    const psql = findProgram('psql', system.cluster.binaries.bin)
    if (psql === null) return
    const query = ['-Atc', 'select 1']
    const parameters = `host=${target.host} port=${target.port} user=app dbname=app sslmode=require`
    const good = await runProgram(psql, target, [`${parameters} channel_binding=require`, ...query])
    expect(good).toMatchObject({ code: 0, stdout: '1\n' })
    const bad = await runProgram(psql, { ...target, password: 'wrong' }, [
      `${parameters} channel_binding=require`,
      ...query,
    ])
    expect(bad.stderr).toContain('password authentication failed')
    const plain = await runProgram(psql, target, [
      `${parameters.replace('require', 'disable')} channel_binding=require`,
      ...query,
    ])
    expect(plain.code).not.toBe(0)
  })
})
