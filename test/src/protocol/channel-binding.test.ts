import { createHash, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ShardwayError } from '../../../src/errors/shardway-error.ts'
import { endPointBinding, endPointHash, NO_BINDING, NOT_OFFERED } from '../../../src/protocol/channel-binding.ts'
import { OtherVerifier, ScramClient } from '../../../src/protocol/scram-client.ts'
import { makeNonce } from '../../../src/protocol/scram-message.ts'
import { ScramServer } from '../../../src/protocol/scram-server.ts'
import { makeVerifier } from '../../../src/protocol/scram-verifier.ts'
import { certificate } from '../../support/certificates.ts'

const PLUS = 'SCRAM-SHA-256-PLUS'

describe('tls-server-end-point', () => {
  it.each([
    ['server', 'sha256'],
    ['renewed', 'sha384'],
    ['rsa-sha1', 'sha256'],
    ['rsa-sha512', 'sha512'],
    ['rsa-pss-sha384', 'sha384'],
  ])('%s: %s of the certificate', (name, algorithm) => {
    const { raw } = new X509Certificate(certificate(name).cert)
    expect(endPointHash(raw)).toEqual(createHash(algorithm).update(raw).digest())
  })

  it('a signature without a hash has none, and garbage neither', () => {
    const { raw } = new X509Certificate(certificate('ed25519').cert)
    expect(endPointHash(raw)).toBeNull()
    for (let end = 0; end < 40; end++) expect(endPointHash(raw.subarray(0, end))).toBeNull()
    expect(endPointHash(Buffer.from('3084ffffffff30', 'hex'))).toBeNull()
    expect(endPointHash(Buffer.from('3080', 'hex'))).toBeNull()
  })
})

describe('an exchange with channel binding', () => {
  const verifier = makeVerifier('secret')
  const endPoint = Buffer.alloc(32, 7)
  const exchange = (client: ScramClient, server: ScramServer, mechanism: string): Buffer | null => {
    const answer = server.final(client.next(server.first(client.first(), mechanism)))
    if (answer !== null) client.verify(answer)
    return answer
  }
  const bound = (data: Buffer, secret = 'secret') => new ScramClient(secret, makeNonce(), '', endPointBinding(data))
  const refused = (run: () => unknown, sqlstate: string): void => {
    try {
      run()
    } catch (error) {
      expect((error as ShardwayError).sqlstate).toBe(sqlstate)
      return
    }
    expect.unreachable('nothing was refused')
  }

  it('offers the better mechanism first, where there is an end point', () => {
    expect(new ScramServer([verifier], makeNonce(), endPoint).mechanisms).toEqual([PLUS, 'SCRAM-SHA-256'])
    expect(new ScramServer([verifier]).mechanisms).toEqual(['SCRAM-SHA-256'])
  })

  it('succeeds for the same end point and password only', () => {
    const server = () => new ScramServer([verifier], makeNonce(), endPoint)
    expect(exchange(bound(endPoint), server(), PLUS)).not.toBeNull()
    expect(exchange(bound(endPoint, 'wrong'), server(), PLUS)).toBeNull()
    refused(() => exchange(bound(Buffer.alloc(32)), server(), PLUS), '28000')
    refused(() => exchange(bound(Buffer.alloc(0)), server(), PLUS), '28000')
  })

  it('without is possible for who cannot, not for who was told that we cannot', () => {
    const server = () => new ScramServer([verifier], makeNonce(), endPoint)
    expect(exchange(new ScramClient('secret', makeNonce(), '', NO_BINDING), server(), 'SCRAM-SHA-256')).not.toBeNull()
    refused(() => exchange(new ScramClient('secret', makeNonce(), '', NOT_OFFERED), server(), 'SCRAM-SHA-256'), '28000')
    const plain = new ScramServer([verifier])
    expect(exchange(new ScramClient('secret', makeNonce(), '', NOT_OFFERED), plain, 'SCRAM-SHA-256')).not.toBeNull()
  })

  it('flag and mechanism must agree', () => {
    const server = () => new ScramServer([verifier], makeNonce(), endPoint)
    refused(() => server().first(bound(endPoint).first(), 'SCRAM-SHA-256'), '08P01')
    refused(() => server().first(new ScramClient('secret').first(), PLUS), '08P01')
    refused(() => new ScramServer([verifier]).first(bound(endPoint).first(), PLUS), '08P01')
    refused(() => server().first(Buffer.from('p=tls-unique,,n=,r=abcdefgh'), PLUS), '08P01')
    refused(() => server().first(Buffer.from('p=tls-server-end-point'), PLUS), '08P01')
    refused(() => server().first(bound(endPoint).first(), 'SCRAM-SHA-1'), '08P01')
  })
})

describe('keys of a proof', () => {
  const verifier = makeVerifier('secret')
  const keysOf = (password: string) => {
    const server = new ScramServer([verifier])
    const client = new ScramClient(password)
    server.final(client.next(server.first(client.first())))
    return server.keys
  }

  it('log in where the same verifier is held', () => {
    const keys = keysOf('secret')
    if (keys === null) return expect.unreachable('no keys')
    const server = new ScramServer([verifier])
    const client = new ScramClient(keys)
    const answer = server.final(client.next(server.first(client.first())))
    if (answer === null) return expect.unreachable('refused')
    client.verify(answer)
    expect(client.verified).toBe(true)
  })

  it('are none of a wrong password', () => {
    expect(keysOf('wrong')).toBeNull()
  })

  it('do not even try where another verifier is held', () => {
    const keys = keysOf('secret')
    if (keys === null) return expect.unreachable('no keys')
    for (const other of [makeVerifier('secret'), makeVerifier('secret', 5000, verifier.salt)]) {
      const server = new ScramServer([other])
      const client = new ScramClient(keys)
      expect(() => client.next(server.first(client.first()))).toThrow(OtherVerifier)
    }
  })
})
