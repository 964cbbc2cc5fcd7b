import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ShardwayError } from '../../../src/errors/shardway-error.ts'
import { ScramClient } from '../../../src/protocol/scram-client.ts'
import { ScramServer } from '../../../src/protocol/scram-server.ts'
import { formatVerifier, makeVerifier, mockVerifier, parseVerifier } from '../../../src/protocol/scram-verifier.ts'

/** https://www.rfc-editor.org/rfc/rfc7677#section-3 */
const RFC = {
  password: 'pencil',
  clientNonce: 'rOprNGfwEbeRWgbNEkqO',
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
  clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  clientFinal:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}
const VERIFIER = makeVerifier(RFC.password, 4096, RFC.salt)

function violation(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ShardwayError)
    expect((error as ShardwayError).sqlstate).toBe('08P01')
    return
  }
  expect.unreachable('no protocol violation')
}

describe('RFC 7677 example', () => {
  it('server', () => {
    const server = new ScramServer([VERIFIER], RFC.serverNonce)
    expect(server.first(Buffer.from(RFC.clientFirst)).toString()).toBe(RFC.serverFirst)
    expect(server.final(Buffer.from(RFC.clientFinal))?.toString()).toBe(RFC.serverFinal)
  })

  it('client', () => {
    const client = new ScramClient(RFC.password, RFC.clientNonce, 'user')
    expect(client.first().toString()).toBe(RFC.clientFirst)
    expect(client.next(Buffer.from(RFC.serverFirst)).toString()).toBe(RFC.clientFinal)
    client.verify(Buffer.from(RFC.serverFinal))
  })
})

describe('ScramServer', () => {
  const exchange = (server: ScramServer, password: string): Buffer | null => {
    const client = new ScramClient(password)
    const answer = server.final(client.next(server.first(client.first())))
    if (answer !== null) client.verify(answer)
    return answer
  }

  it('a right and a wrong password', () => {
    expect(exchange(new ScramServer([VERIFIER]), 'pencil')).not.toBeNull()
    expect(exchange(new ScramServer([VERIFIER]), 'Pencil')).toBeNull()
    expect(exchange(new ScramServer([VERIFIER]), '')).toBeNull()
  })

  it('several passwords with one salt', () => {
    const verifiers = ['old', 'new'].map(password => makeVerifier(password, 4096, RFC.salt))
    expect(exchange(new ScramServer(verifiers), 'old')).not.toBeNull()
    expect(exchange(new ScramServer(verifiers), 'new')).not.toBeNull()
    expect(exchange(new ScramServer(verifiers), 'other')).toBeNull()
  })

  it('a verifier with another salt takes no part', () => {
    const verifiers = [VERIFIER, makeVerifier('other')]
    expect(exchange(new ScramServer(verifiers), 'pencil')).not.toBeNull()
    expect(exchange(new ScramServer(verifiers), 'other')).toBeNull()
  })

  it('the mock has a stable salt and never succeeds', () => {
    const seed = Buffer.from('seed of this test')
    const mock = mockVerifier('nobody', seed)
    expect(mockVerifier('nobody', seed)).toEqual(mock)
    expect(mockVerifier('somebody', seed).salt).not.toEqual(mock.salt)
    expect(Object.keys(mock)).toEqual(Object.keys(VERIFIER))
    expect(mock.salt).toHaveLength(16)
    for (const password of ['', 'nobody', 'pencil']) expect(exchange(new ScramServer([mock]), password)).toBeNull()
  })

  it("takes 'y' and refuses 'p' and an authorization identity", () => {
    const server = new ScramServer([VERIFIER])
    expect(server.first(Buffer.from('y,,n=,r=abc')).toString()).toMatch(/^r=abc/)
    violation(() => new ScramServer([VERIFIER]).first(Buffer.from('p=tls-server-end-point,,n=,r=abc')))
    violation(() => new ScramServer([VERIFIER]).first(Buffer.from('n,a=postgres,n=,r=abc')))
  })

  it("the final message must repeat the flag: 'y' is not 'n'", () => {
    const server = new ScramServer([VERIFIER], RFC.serverNonce)
    server.first(Buffer.from(RFC.clientFirst.replace(/^n/, 'y')))
    violation(() => server.final(Buffer.from(RFC.clientFinal)))
  })

  it.each([
    ['empty', ''],
    ['no comma', 'n'],
    ['no header end', 'n,'],
    ['unknown flag', 'x,,n=,r=abc'],
    ['no nonce', 'n,,n=user'],
    ['empty nonce', 'n,,n=user,r='],
    ['nonce with a space', 'n,,n=user,r=a b'],
    ['extension', 'n,,m=1,n=user,r=abc'],
    ['order', 'n,,r=abc,n=user'],
    ['NUL', 'n,,n=user,r=ab\0c'],
    ['huge nonce', `n,,n=user,r=${'x'.repeat(2000)}`],
    ['huge', `n,,n=${'x'.repeat(100_000)},r=abc`],
  ])('malformed client-first: %s', (_, text) => {
    violation(() => new ScramServer([VERIFIER]).first(Buffer.from(text)))
  })

  it.each([
    ['empty', ''],
    ['no proof', RFC.clientFinal.replace(/,p=.*/, '')],
    ['empty proof', RFC.clientFinal.replace(/,p=.*/, ',p=')],
    ['short proof', RFC.clientFinal.replace(/,p=.*/, ',p=AAAA')],
    ['proof not base64', RFC.clientFinal.replace(/,p=.*/, `,p=${'*'.repeat(44)}`)],
    ['other nonce', RFC.clientFinal.replace('r=rO', 'r=xx')],
    ['shorter nonce', RFC.clientFinal.replace('$k0', '$k')],
    ['other binding', RFC.clientFinal.replace('c=biws', 'c=eSws')],
    ['no binding', RFC.clientFinal.replace('c=biws,', '')],
    ['NUL', `${RFC.clientFinal}\0`],
  ])('malformed client-final: %s', (_, text) => {
    const server = new ScramServer([VERIFIER], RFC.serverNonce)
    server.first(Buffer.from(RFC.clientFirst))
    violation(() => server.final(Buffer.from(text)))
  })

  it('messages out of order', () => {
    violation(() => new ScramServer([VERIFIER]).final(Buffer.from(RFC.clientFinal)))
    const server = new ScramServer([VERIFIER], RFC.serverNonce)
    server.first(Buffer.from(RFC.clientFirst))
    violation(() => server.first(Buffer.from(RFC.clientFirst)))
  })

  it('arbitrary bytes are a violation or a wrong password, nothing else', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array)),
      fc.tuple(fc.nat(200), fc.nat(255)).map(([at, value]) => {
        const copy = Buffer.from(RFC.clientFinal)
        copy[at % copy.length] = value
        return copy
      }),
    )
    fc.assert(
      fc.property(bytes, message => {
        const server = new ScramServer([VERIFIER], RFC.serverNonce)
        server.first(Buffer.from(RFC.clientFirst))
        try {
          const answer = server.final(message)
          return answer === null || message.toString() === RFC.clientFinal
        } catch (error) {
          return error instanceof ShardwayError
        }
      }),
    )
  })
})

describe('ScramClient', () => {
  const started = (): ScramClient => new ScramClient(RFC.password, RFC.clientNonce, 'user')

  it.each([
    ['empty', ''],
    ['other nonce', RFC.serverFirst.replace('r=rO', 'r=xx')],
    ['nonce not extended', 'r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['too few iterations', RFC.serverFirst.replace('i=4096', 'i=1')],
    ['too many iterations', RFC.serverFirst.replace('i=4096', 'i=1000001')],
    ['overflowing iterations', RFC.serverFirst.replace('i=4096', 'i=99999999999999999999')],
    ['negative iterations', RFC.serverFirst.replace('i=4096', 'i=-4096')],
    ['iterations no number', RFC.serverFirst.replace('i=4096', 'i=4096x')],
    ['no salt', RFC.serverFirst.replace(/s=[^,]*/, 's=')],
    ['bad salt', RFC.serverFirst.replace(/s=[^,]*/, 's=***')],
    ['huge salt', RFC.serverFirst.replace(/s=[^,]*/, `s=${'AAAA'.repeat(1000)}`)],
    ['huge nonce', RFC.serverFirst.replace('$k0', '$'.repeat(5000))],
    ['huge', `${RFC.serverFirst}${','.repeat(100_000)}`],
  ])('malformed server-first: %s', (_, text) => {
    violation(() => started().next(Buffer.from(text)))
  })

  it.each([
    ['empty', ''],
    ['error', 'e=invalid-proof'],
    ['other signature', `v=${Buffer.alloc(32).toString('base64')}`],
    ['short signature', 'v=AAAA'],
    ['not base64', 'v=***'],
  ])('server-final: %s', (_, text) => {
    const client = started()
    client.next(Buffer.from(RFC.serverFirst))
    violation(() => client.verify(Buffer.from(text)))
  })

  it('does not verify before its turn', () => {
    violation(() => started().verify(Buffer.from(RFC.serverFinal)))
  })
})

describe('verifier text', () => {
  it('round trip', () => {
    expect(parseVerifier(formatVerifier(VERIFIER))).toEqual(VERIFIER)
  })

  it.each([
    'pencil',
    '',
    'SCRAM-SHA-256',
    'SCRAM-SHA-256$4096:$$',
    'SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA',
    formatVerifier(VERIFIER).replace('4096', '-1'),
    formatVerifier(VERIFIER).replace('4096', '4294967296'),
    `${formatVerifier(VERIFIER)} `,
    `md5${'0'.repeat(32)}`,
  ])('is no verifier: %s', text => {
    expect(parseVerifier(text)).toBeNull()
  })
})

describe("interop with node-postgres' client side", () => {
  interface PgSasl {
    startSession(mechanisms: string[]): { response: string; mechanism: string }
    continueSession(session: object, password: string, serverData: string): Promise<void>
    finalizeSession(session: object, serverData: string): void
  }
  const sasl = createRequire(import.meta.url)('pg/lib/crypto/sasl') as PgSasl

  it.each(['pencil', 'sp ace,=', 'Österreich', 'IX', '日本'])('%s', async password => {
    const server = new ScramServer([makeVerifier(password)])
    const session = sasl.startSession(['SCRAM-SHA-256'])
    await sasl.continueSession(session, password, server.first(Buffer.from(session.response)).toString())
    const answer = server.final(Buffer.from(session.response))
    expect(answer).not.toBeNull()
    sasl.finalizeSession(session, answer?.toString() ?? '')
  })
})
