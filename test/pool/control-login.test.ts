/** Logins of the control user at servers that no Postgres would be: a clear failure, and nothing that they could use. */
import tls from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { connectControl, type ControlOptions } from '../../pool/control-connection.ts'
import { frame } from '../../src/protocol/backend-messages.ts'
import { certificate } from '../support/certificates.ts'
import { authentication, type Script, ScriptedServer, scramFirst } from '../support/scripted-server.ts'

const PASSWORD = 's3cret-word'
const servers: ScriptedServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()))
})

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script)
  servers.push(server)
  return server
}

async function refusal(server: ScriptedServer, mode: ControlOptions['tls']['mode'], ca?: string): Promise<string> {
  const options: ControlOptions = {
    tls: { mode, ca },
    connectTimeoutMs: 20_000,
    queryTimeoutMs: 20_000,
    applicationName: 'test',
  }
  const target = { host: '127.0.0.1', port: server.port, dbname: 'app', user: 'app', password: PASSWORD }
  try {
    const client = await connectControl(target, options)
    client.connection.stream.destroy()
  } catch (error) {
    const text = String(error)
    expect(text).not.toContain(PASSWORD)
    expect(server.said).not.toContain(PASSWORD)
    return text
  }
  throw new Error('the login succeeded')
}

const SSL_REQUEST = '\x04\xd2\x16\x2f'
const answering = (answer: Buffer): Script => {
  return async (socket, heard) => {
    await heard(SSL_REQUEST)
    socket.write(answer)
  }
}

describe('the request for TLS', () => {
  it.each([
    ['S and more bytes at once', Buffer.from('SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I')],
    ['N and more bytes at once', Buffer.from('NR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I')],
    ['an error, whose text is nobody’s', Buffer.from('E\0\0\0\x16SFATAL\0CXX000\0Mtrust-me\0\0')],
    ['the first byte of an error', Buffer.from('E')],
    ['another byte', Buffer.from('G')],
  ])('answered %s', async (_, answer) => {
    for (const mode of ['require', 'prefer'] as const) {
      const server = await serve(answering(answer))
      expect(await refusal(server, mode)).not.toContain('trust-me')
      // Not a word behind the request.
      expect(server.said).toHaveLength(8)
    }
  })

  it('answered N is the end where TLS is required', async () => {
    const server = await serve(answering(Buffer.from('N')))
    await refusal(server, 'require')
    expect(server.said).toHaveLength(8)
  })

  it.each([
    ['elsewhere', 'verify-full', /does not match|altnames/i],
    ['foreign', 'verify-full', /unable to verify|self.signed|issuer/i],
    ['foreign', 'verify-ca', /unable to verify|self.signed|issuer/i],
  ] as const)('certificate %s under %s', async (name, mode, expected) => {
    const { cert, key } = certificate(name)
    let said = ''
    const server = await serve(async (socket, heard) => {
      await heard(SSL_REQUEST)
      socket.removeAllListeners('data')
      socket.write('S')
      const secured = new tls.TLSSocket(socket, {
        isServer: true,
        secureContext: tls.createSecureContext({ cert, key }),
      })
      secured.on('error', () => undefined)
      secured.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
    })
    expect(await refusal(server, mode, certificate('ca').certPath)).toMatch(expected)
    expect(said).toBe('')
  })
})

describe('a server that asks for what it should not', () => {
  const salt = Buffer.alloc(16, 1).toString('base64')

  it.each([
    ['an endless PBKDF2', (nonce: string) => `r=${nonce}x,s=${salt},i=2147483647`],
    ['a count that is none', (nonce: string) => `r=${nonce}x,s=${salt},i=x`],
    ['another nonce', () => `r=another,s=${salt},i=4096`],
    ['nothing', () => ''],
    ['a salt that is no base64', (nonce: string) => `r=${nonce}x,s=%%%,i=4096`],
  ])('%s', async (_, first) => {
    await refusal(await serve(scramFirst(first)), 'disable')
  })

  it.each([
    ['a huge nonce', (nonce: string) => `r=${nonce}${'x'.repeat(500_000)},s=${salt},i=4096`],
    ['a huge salt', (nonce: string) => `r=${nonce}x,s=${Buffer.alloc(300_000).toString('base64')},i=4096`],
  ])('%s, and then a signature that is wrong', async (_, first) => {
    const server = await serve(scramFirst(first, [authentication(12, `v=${Buffer.alloc(32).toString('base64')}`)]))
    await refusal(server, 'disable')
  })

  it.each([
    ['an error without fields', [frame(0x45, Buffer.from([0]))]],
    ['an error without SQLSTATE', [frame(0x45, Buffer.from('Moops\0\0'))]],
    ['an error without its end', [frame(0x45, Buffer.from('Moops'))]],
    ['unknown mechanisms', [authentication(10, 'OAUTHBEARER\0\0')]],
    ['GSSAPI', [authentication(7)]],
    ['the end without its beginning', [authentication(12, 'v=x')]],
    ['a message without a number', [frame(0x52, Buffer.alloc(2))]],
  ])('%s', async (_, messages) => {
    const server = await serve(async (socket, heard) => {
      await heard('database')
      for (const message of messages) socket.write(message)
      socket.end()
    })
    await refusal(server, 'disable')
  })

  it('breaks the exchange off: who does not prove that it knows the password is no server', async () => {
    const first = (nonce: string): string => `r=${nonce}x,s=${salt},i=4096`
    const ready = frame(0x5a, Buffer.from('I'))
    for (const script of [
      scramFirst(first, [authentication(0), ready]),
      async (socket, heard) => {
        await heard('database')
        socket.write(authentication(10, 'SCRAM-SHA-256\0\0'))
        await heard('SCRAM-SHA-256\0')
        socket.write(Buffer.concat([authentication(0), ready]))
      },
    ] satisfies Script[]) {
      expect(await refusal(await serve(script), 'disable')).toContain('broke off')
    }
  })
})
