import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificate } from '../support/certificates.ts'
import { firstRequest, hashed, refusal, users } from '../support/logins.ts'
import { changeConfig, reload } from '../support/reload.ts'
import { startSystem, type System } from '../support/system.ts'
import { connectTls } from '../support/tls-wire.ts'
import { Wire, type WireOptions } from '../support/wire.ts'

describe('method hba', () => {
  let system: System
  let target: WireOptions
  let rulesPath: string
  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      oracle: false,
      users: [...users, hashed, { name: 'certified' }],
      sections: { auth: { method: 'trust' } },
    })
    target = system.target()
    rulesPath = join(system.shardway.folder, 'hba.conf')
    writeFileSync(rulesPath, 'host all all all reject\n')
    const [ca, server] = [certificate('ca'), certificate('server')]
    const tls = { mode: 'prefer', cert: server.certPath, key: server.keyPath, ca: ca.certPath }
    await changeConfig(system, { auth: { method: 'hba', hba_file: 'hba.conf' }, listen: { tls } })
  })
  afterAll(async () => await system.stop())

  async function rules(text: string, expected = 'reloaded'): Promise<void> {
    writeFileSync(rulesPath, `${text}\n`)
    await reload(system, expected)
  }

  it('each rule’s method, the first that matches', async () => {
    await rules(`
      host    all   nobody,two  all           reject
      host    app   clear       127.0.0.0/8   trust
      host    app   mixed       127.0.0.1  255.255.255.255  password
      host    app   hashed      127.0.0.1/32  md5
      host    app   verified    127.0.0.1/32  scram-sha-256
      hostssl all   certified   all           cert
      hostssl all   app         all           scram-sha-256
      host    shardway app      all           scram-sha-256
      host    all   app         10.0.0.0/8    trust`)
    await (await system.connect({ user: 'clear', password: 'whatever' })).end()
    expect((await firstRequest(system, 'mixed'))[0]).toBe(3)
    expect((await firstRequest(system, 'hashed'))[0]).toBe(5)
    expect((await firstRequest(system, 'verified'))[0]).toBe(10)
    for (const [user, good] of [
      ['mixed', 'other-word'],
      ['hashed', 'hashed-word'],
      ['verified', 'verified-word'],
    ] as const) {
      await (await system.connect({ user, password: good })).end()
      expect(await refusal(system.connect({ user, password: 'wrong' }))).toMatchObject({ C: '28P01' })
    }
    for (const user of ['two', 'nobody']) {
      expect(await refusal(system.connect({ user, password: 'first-word' }))).toMatchObject({
        S: 'FATAL',
        C: '28000',
        M: `pg_hba.conf rejects connection for host "127.0.0.1", user "${user}", database "app", no encryption`,
      })
    }
    // No rule speaks for it: only the one for TLS does, or the one for the console.
    expect(await refusal(system.connect())).toMatchObject({
      C: '28000',
      M: 'no pg_hba.conf entry for host "127.0.0.1", user "app", database "app", no encryption',
    })
    await (await connectTls(target)).end()
    await (await system.console()).end()
  })

  it('cert: the certificate’s common name is the user', async () => {
    await rules('hostssl all all all cert')
    await (await connectTls({ ...target, password: '' }, { certificate: certificate('client-app') })).end()
    const cases = [
      ['app', 'client-other', 'certificate authentication failed for user "app"'],
      ['nobody', 'client-nobody', 'certificate authentication failed for user "nobody"'],
      ['app', 'client-forged', 'connection requires a valid client certificate'],
    ] as const
    for (const [user, name, message] of cases) {
      const fields = await refusal(connectTls({ ...target, user }, { certificate: certificate(name) }))
      expect(fields).toMatchObject({ S: 'FATAL', C: '28000', M: message })
    }
    expect(await refusal(connectTls(target))).toMatchObject({ C: '28000' })
    expect(await refusal(Wire.connect(target))).toMatchObject({ C: '28000' })
  })

  it('a bad file is named and changes nothing', async () => {
    await rules('host all all all scram-sha-256')
    await rules('host all all all scram-sha-256\nhost all all samenet peer map=x', 'reload-refused')
    expect(system.shardway.lines.join('\n')).toMatch(/auth\.hba_file: .*hba\.conf.*, line 2: address .*samenet/)
    await (await system.connect()).end()
    await rules('', 'reload-refused')
    await (await system.connect()).end()
    await rules('host all all all reject')
    expect(await refusal(system.connect())).toMatchObject({ C: '28000' })
  })
})
