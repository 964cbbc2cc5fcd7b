import { chmodSync, chownSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServer } from '../../pool/connect.ts'
import { passwordSecret } from '../../pool/server-secret.ts'
import { findBinaries } from '../../src/cluster/binaries.ts'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { makeTemporaryFolder } from '../../src/cluster/run-as.ts'
import { type ShardwayProcess, startShardway } from '../../src/cluster/shardway.ts'
import { supervisor } from '../../src/cluster/supervisor.ts'
import { ShardwayError } from '../../src/errors/shardway-error.ts'
import { formatVerifier, makeVerifier } from '../../src/protocol/scram-verifier.ts'
import { certificate } from '../support/certificates.ts'
import { rowsOf, valueOf } from '../support/messages.ts'
import { Wire } from '../support/wire.ts'

const ca = certificate('ca')
const binaries = findBinaries()

/** Postgres wants a key that is its own, and nobody else's. */
function install(folder: string, name: string): Record<string, string> {
  const { certPath, keyPath } = certificate(name)
  const [cert, key] = [join(folder, 'server.crt'), join(folder, 'server.key')]
  copyFileSync(certPath, cert)
  copyFileSync(keyPath, key)
  chmodSync(key, 0o600)
  if (binaries.runAs !== null) for (const path of [cert, key]) chownSync(path, binaries.runAs.uid, binaries.runAs.gid)
  return { ssl: 'on', ssl_cert_file: cert, ssl_key_file: key }
}

type Mode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

describe.each([
  ['server', true, true],
  ['elsewhere', true, false],
  ['foreign', false, false],
  ['ed25519', false, false],
] as const)('a server with certificate %s', (name, known, named) => {
  let cluster: Cluster
  let folder: string
  beforeAll(async () => {
    folder = makeTemporaryFolder('shardway-tls-', binaries.runAs)
    supervisor().discardAtEnd(folder)
    cluster = await startCluster({
      binaries,
      shards: 1,
      replicas: 0,
      settings: install(folder, name),
      hba: ['hostnossl all only_tls all reject', 'hostssl all no_tls all reject'],
    })
    await cluster.everywhere("CREATE ROLE only_tls LOGIN PASSWORD 'word'; CREATE ROLE no_tls LOGIN PASSWORD 'word'")
  })
  afterAll(async () => {
    await cluster.stop()
    await supervisor().discard(folder)
  })

  /** Whether the server's own view of the connection is TLS; the error's message where there was none. */
  async function open(mode: Mode, user = 'app', password = 'app'): Promise<string> {
    const { server } = cluster.shards[0]!.primary
    try {
      const { socket } = await openServer(
        {
          host: server.host,
          port: server.port,
          tls: { mode, ca: ca.cert },
          database: 'app',
          user,
          secret: () => passwordSecret(password),
        },
        20_000,
      )
      const encrypted = 'encrypted' in socket
      socket.destroy()
      return encrypted ? 'TLS' : 'plain'
    } catch (error) {
      if (error instanceof ShardwayError) return error.message
      throw error
    }
  }

  it('every mode', async () => {
    expect(await open('disable')).toBe('plain')
    expect(await open('allow')).toBe('plain')
    expect(await open('allow', 'only_tls', 'word')).toBe('TLS')
    expect(await open('disable', 'only_tls', 'word')).toContain('28000')
    expect(await open('prefer')).toBe('TLS')
    expect(await open('require')).toBe('TLS')
    expect(await open('require', 'no_tls', 'word')).toContain('28000')
    const refused = /unable to verify|self.signed|issuer|altnames/i
    if (known) expect(await open('verify-ca')).toBe('TLS')
    else expect(await open('verify-ca')).toMatch(refused)
    if (named) expect(await open('verify-full')).toBe('TLS')
    else expect(await open('verify-full')).toMatch(refused)
    // SCRAM-SHA-256-PLUS where the certificate has an end point; a wrong password is wrong either way.
    expect(await open('require', 'app', 'wrong')).toContain('28P01')
  })
})

describe('Shardway before servers with TLS', () => {
  let cluster: Cluster
  let shardway: ShardwayProcess
  let folder: string
  const verifier = formatVerifier(makeVerifier('alice-word'))
  beforeAll(async () => {
    folder = makeTemporaryFolder('shardway-tls-', binaries.runAs)
    supervisor().discardAtEnd(folder)
    cluster = await startCluster({
      binaries,
      shards: 1,
      replicas: 1,
      settings: install(folder, 'server'),
      hba: ['hostnossl all alice,bob,control all reject'],
    })
    await cluster.everywhere(`CREATE ROLE alice LOGIN PASSWORD '${verifier}'; CREATE ROLE bob LOGIN PASSWORD 'bob-word';
      CREATE ROLE control SUPERUSER LOGIN PASSWORD 'control-word'`)
    await cluster.caughtUp()
  })
  afterAll(async () => {
    await shardway.close()
    await cluster.stop()
    await supervisor().discard(folder)
  })

  it('verify-full as soon as there is a ca: control, pools and pass-through', async () => {
    shardway = await startShardway({
      cluster,
      passThrough: true,
      database: { control_user: 'control', control_password: 'control-word' },
      sections: { server: { tls: { ca: ca.certPath } } },
      users: [
        { name: 'bob', password: 'bob-word', admin: true },
        { name: 'alice', password: verifier },
      ],
    })
    for (const [user, password] of [
      ['bob', 'bob-word'],
      ['alice', 'alice-word'],
    ] as const) {
      const { host, port } = shardway
      const wire = await Wire.connect({ host, port, database: 'app', user, password })
      expect(await valueOf(wire, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toBe('t')
      expect(rowsOf(await wire.run('SELECT current_user'))).toEqual([[user]])
      await wire.end()
    }
  })
})
