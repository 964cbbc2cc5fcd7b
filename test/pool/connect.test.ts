/** Servers that no Postgres would be: what they say must end in a clear error, and teach them nothing. */
import net from 'node:net'
import tls from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { type Login, openServer } from '../../pool/connect.ts'
import { NO_SECRET, passwordSecret } from '../../pool/server-secret.ts'
import { ShardwayError } from '../../src/errors/shardway-error.ts'
import { frame } from '../../src/protocol/backend-messages.ts'
import { certificate } from '../support/certificates.ts'

const servers: net.Server[] = []
const sockets = new Set<net.Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.splice(0).map(server => new Promise(resolve => server.close(resolve))))
})

type Script = (socket: net.Socket, heard: (needle: string) => Promise<void>) => void | Promise<void>

/** A server that says what the script says; `heard` waits for bytes of the client. */
async function serve(script: Script): Promise<number> {
  const server = net.createServer(socket => {
    sockets.add(socket)
    let bytes = ''
    let look = (): void => undefined
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      bytes += chunk.toString('latin1')
      look()
    })
    const heard = (needle: string): Promise<void> =>
      new Promise(resolve => {
        look = () => {
          if (bytes.includes(needle)) resolve()
        }
        look()
      })
    void script(socket, heard)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

function login(port: number, changes: Partial<Login> = {}): Login {
  return {
    host: '127.0.0.1',
    port,
    tls: { mode: 'disable', ca: undefined },
    database: 'app',
    user: 'app',
    secret: () => passwordSecret('s3cret-word'),
    ...changes,
  }
}

async function refusal(options: Login): Promise<ShardwayError> {
  try {
    const { socket } = await openServer(options, 20_000)
    socket.destroy()
  } catch (error) {
    expect(error).toBeInstanceOf(ShardwayError)
    expect((error as ShardwayError).sqlstate).toBe('08006')
    expect((error as ShardwayError).message).not.toContain('s3cret-word')
    return error as ShardwayError
  }
  throw new Error('the login succeeded')
}

function authentication(kind: number, rest: string | Buffer = ''): Buffer {
  const number = Buffer.alloc(4)
  number.writeInt32BE(kind)
  return frame(0x52, Buffer.concat([number, Buffer.from(rest)]))
}

describe('the request for TLS', () => {
  const required = { tls: { mode: 'require', ca: undefined } } as const
  const preferred = { tls: { mode: 'prefer', ca: undefined } } as const

  it.each([
    ['S and more bytes at once', Buffer.from('SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I')],
    ['N and more bytes at once', Buffer.from('NR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I')],
    ['an error, whose text is nobody’s', Buffer.from('E\0\0\0\x16SFATAL\0CXX000\0Mtrust-me\0\0')],
    ['the first byte of an error', Buffer.from('E')],
    ['another byte', Buffer.from('G')],
  ])('answered %s', async (_, answer) => {
    for (const mode of [required, preferred]) {
      const port = await serve(socket => void socket.write(answer))
      const error = await refusal(login(port, mode))
      expect(error.message).toMatch(/unexpected (bytes before|answer to)/)
      expect(error.message).not.toContain('trust-me')
    }
  })

  it('answered S, and bytes in the clear after it', async () => {
    const port = await serve(async (socket, heard) => {
      socket.write('S')
      await heard('\x16\x03')
      socket.write(Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I'))
    })
    await refusal(login(port, required))
  })

  it('answered N is the end where TLS is required', async () => {
    const port = await serve(socket => void socket.write('N'))
    expect((await refusal(login(port, required))).message).toContain('does not offer TLS')
  })

  it.each([
    ['elsewhere', 'verify-full', /does not match|altnames/i],
    ['foreign', 'verify-full', /unable to verify|self.signed|issuer/i],
    ['foreign', 'verify-ca', /unable to verify|self.signed|issuer/i],
    ['ed25519', 'verify-ca', /self.signed/i],
  ] as const)('certificate %s under %s', async (name, mode, expected) => {
    const { cert, key } = certificate(name)
    let said = ''
    const port = await serve(async (socket, heard) => {
      await heard('\x04\xd2\x16\x2f')
      socket.removeAllListeners('data')
      socket.write('S')
      const secured = new tls.TLSSocket(socket, {
        isServer: true,
        secureContext: tls.createSecureContext({ cert, key }),
      })
      secured.on('error', () => undefined)
      secured.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')))
    })
    const error = await refusal(login(port, { tls: { mode, ca: certificate('ca').cert } }))
    expect(error.message).toMatch(expected)
    expect(said).toBe('')
  })
})

describe('channel binding', () => {
  it.each([
    ['server', 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0', /SCRAM-SHA-256-PLUS\0.{4}p=tls-server-end-point,,n=/s],
    ['server', 'SCRAM-SHA-256\0\0', /SCRAM-SHA-256\0.{4}y,,n=/s],
    ['ed25519', 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0', /SCRAM-SHA-256\0.{4}n,,n=/s],
  ])('certificate %s, offered %j', async (name, offered, expected) => {
    const { cert, key } = certificate(name)
    let said = ''
    const port = await serve(async (socket, heard) => {
      await heard('\x04\xd2\x16\x2f')
      socket.removeAllListeners('data')
      socket.write('S')
      const secured = new tls.TLSSocket(socket, {
        isServer: true,
        secureContext: tls.createSecureContext({ cert, key }),
      })
      secured.on('error', () => undefined)
      secured.on('data', (chunk: Buffer) => {
        said += chunk.toString('latin1')
        if (said.includes(',r=')) secured.end()
        else secured.write(authentication(10, offered))
      })
    })
    await refusal(login(port, { tls: { mode: 'require', ca: undefined } }))
    expect(said).toMatch(expected)
  })
})

describe('a server that asks for what it should not', () => {
  const scramFirst = (first: (nonce: string) => string): Script => {
    return async (socket, heard) => {
      let nonce = ''
      socket.on('data', chunk => {
        nonce = /r=([^,]+)/.exec(chunk.toString('latin1'))?.[1] ?? nonce
      })
      await heard('database')
      socket.write(authentication(10, 'SCRAM-SHA-256\0\0'))
      await heard('SCRAM-SHA-256\0')
      socket.write(authentication(11, first(nonce)))
    }
  }
  const salt = Buffer.alloc(16, 1).toString('base64')

  it.each([
    ['an endless PBKDF2', (nonce: string) => `r=${nonce}x,s=${salt},i=2147483647`, /iteration count/],
    ['a PBKDF2 that is no work', (nonce: string) => `r=${nonce}x,s=${salt},i=1`, /iteration count/],
    ['a count that is none', (nonce: string) => `r=${nonce}x,s=${salt},i=4096x`, /iteration count/],
    ['a huge nonce', (nonce: string) => `r=${nonce}${'x'.repeat(7000)},s=${salt},i=4096`, /nonce/],
    ['a huge message', (nonce: string) => `r=${nonce}${'x'.repeat(100_000)},s=${salt},i=4096`, /too long/],
    ['a huge salt', (nonce: string) => `r=${nonce}x,s=${Buffer.alloc(3000).toString('base64')},i=4096`, /salt/],
    ['another nonce', () => `r=another,s=${salt},i=4096`, /nonce/],
    ['nothing', () => '', /empty/],
    ['a salt that is no base64', (nonce: string) => `r=${nonce}x,s=%%%,i=4096`, /salt/],
  ])('%s', async (_, first, expected) => {
    const port = await serve(scramFirst(first))
    expect((await refusal(login(port))).message).toMatch(expected)
  })

  it.each([
    ['a break of the exchange', [authentication(10, 'SCRAM-SHA-256\0\0'), authentication(0)], /broke off/],
    ['the end without its beginning', [authentication(12, 'v=x')], /method 12/],
    ['GSSAPI', [authentication(7)], /method 7/],
    ['unknown mechanisms', [authentication(10, 'OAUTHBEARER\0\0')], /no SASL mechanism/],
    ['md5 without its salt', [authentication(5, 'abc')], /malformed/],
    ['a message without a number', [frame(0x52, Buffer.alloc(2))], /malformed/],
    ['an error without fields', [frame(0x45, Buffer.from([0]))], /cannot connect/],
    ['an error without SQLSTATE', [frame(0x45, Buffer.from('Moops\0\0'))], /oops/],
    ['an error without its end', [frame(0x45, Buffer.from('Moops'))], /cannot connect/],
    ['a key that is cut', [authentication(0), frame(0x4b, Buffer.alloc(2))], /cannot connect/],
    ['a message of negative length', [Buffer.from('R\xff\xff\xff\xff', 'latin1')], /malformed/],
    ['a message of length 3', [Buffer.from('R\0\0\0\x03\0\0\0', 'latin1')], /malformed/],
    ['a message of a gigabyte', [Buffer.from('R\x3f\xff\xff\xff\0\0\0', 'latin1')], /malformed/],
    ['a data row', [frame(0x44, Buffer.alloc(2))], /unexpected message/],
    [
      'bytes behind the login',
      [Buffer.concat([authentication(0), frame(0x5a, Buffer.from('I')), frame(0x44, Buffer.alloc(2))])],
      /unexpected bytes/,
    ],
  ])('%s', async (_, messages, expected) => {
    const port = await serve(async (socket, heard) => {
      await heard('database')
      for (const message of messages) socket.write(message)
    })
    expect((await refusal(login(port))).message).toMatch(expected)
  })

  it('keys and hashes serve only the requests that they can', async () => {
    const ask = (message: Buffer): Promise<number> =>
      serve(async (socket, heard) => {
        await heard('database')
        socket.write(message)
      })
    const hash = { ...NO_SECRET, md5: `md5${'0'.repeat(32)}` }
    const clear = await refusal(login(await ask(authentication(3)), { secret: () => hash }))
    expect(clear.message).toContain('no such secret is known for server user "app"')
    await refusal(login(await ask(authentication(10, 'SCRAM-SHA-256\0\0')), { secret: () => hash }))
    const none = await refusal(login(await ask(authentication(5, 'salt')), { secret: () => NO_SECRET }))
    expect(none.message).toContain('no password is known')
  })
})
