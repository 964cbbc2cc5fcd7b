/**
 * Opens a connection to a Postgres server: TLS request, startup, authentication, until the first ReadyForQuery.
 * Control path: promises are fine here. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import net from 'node:net'
import tls from 'node:tls'
import { ShardwayError } from '../src/errors/shardway-error.ts'
import * as code from '../src/protocol/codes.ts'
import { errorFields } from '../src/protocol/error-fields.ts'
import { cancelRequest, password as passwordMessage, sslRequest, startup } from '../src/protocol/frontend-messages.ts'
import { md5Password } from '../src/protocol/md5.ts'
import { ScramClient } from '../src/protocol/scram-client.ts'
import type { ServerIdentity } from './server-connection.ts'

export interface ServerTls {
  readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  /** PEM text. */
  readonly ca: string | undefined
}

export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly tls: ServerTls
}

export interface Login extends ServerAddress {
  readonly database: string
  readonly user: string
  readonly password: string | null
  readonly timeoutMs: number
}

const MAX_LOGIN_FRAME_BYTES = 1024 * 1024

function unavailable(address: ServerAddress, reason: string, cause?: unknown): ShardwayError {
  return new ShardwayError(
    'server_unavailable',
    '08006',
    `cannot connect to ${address.host}:${address.port}: ${reason}`,
    {
      hint: 'See SHOW NODES for what the proxy knows of the node.',
      cause,
    },
  )
}

/** Resolves with a socket that nobody reads yet. Rejects with ShardwayError 08006. */
export async function openServer(login: Login): Promise<{ socket: net.Socket; identity: ServerIdentity }> {
  const socket = await openSocket(login)
  const timer = setTimeout(() => socket.destroy(new Error('login timed out')), login.timeoutMs)
  try {
    const identity = await logIn(socket, login)
    return { socket, identity }
  } catch (error) {
    socket.destroy()
    if (error instanceof ShardwayError) throw error
    throw unavailable(login, error instanceof Error ? error.message : String(error), error)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Delivers a cancel request. Resolves when the connection is over: true when the server closed it, that is, has sent the
 * signal, or when nothing was sent at all; false when the request may still arrive, whenever that is.
 */
export async function cancelOnServer(
  address: ServerAddress,
  pid: number,
  secret: Buffer,
  timeoutMs: number,
): Promise<boolean> {
  let socket: net.Socket
  try {
    socket = await openSocket({ ...address, timeoutMs })
  } catch {
    return true
  }
  return await new Promise<boolean>(resolve => {
    let ended = false
    const timer = setTimeout(() => socket.destroy(), timeoutMs)
    socket.on('error', () => undefined)
    socket.on('end', () => {
      ended = true
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(ended)
    })
    socket.resume()
    socket.end(cancelRequest(pid, secret))
  })
}

async function openSocket(address: ServerAddress & { readonly timeoutMs: number }): Promise<net.Socket> {
  const socket = net.connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true })
  const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), address.timeoutMs)
  try {
    await happened(socket, 'connect')
    const mode = address.tls.mode
    if (mode === 'disable' || mode === 'allow') return socket
    socket.write(sslRequest)
    const answer = await firstBytes(socket)
    // More than one byte would be plain text smuggled in before the handshake (CVE-2021-23222).
    if (answer.length !== 1) throw unavailable(address, 'unexpected bytes before the TLS handshake')
    if (answer[0] === 0x53) return await startTls(socket, address)
    if (mode === 'prefer') return socket
    throw unavailable(address, 'the server does not offer TLS')
  } catch (error) {
    socket.destroy()
    if (error instanceof ShardwayError) throw error
    throw unavailable(address, error instanceof Error ? error.message : String(error), error)
  } finally {
    clearTimeout(timer)
  }
}

async function startTls(socket: net.Socket, address: ServerAddress): Promise<net.Socket> {
  const { mode, ca } = address.tls
  const secured = tls.connect({
    socket,
    ...(net.isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: mode === 'verify-ca' || mode === 'verify-full',
    ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  })
  await happened(secured, 'secureConnect')
  return secured
}

function happened(socket: net.Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      socket.off(event, ready)
      socket.off('error', done)
      socket.off('close', closed)
      if (error) reject(error)
      else resolve()
    }
    const ready = () => done()
    const closed = () => done(new Error('connection closed'))
    socket.on(event, ready)
    socket.on('error', done)
    socket.on('close', closed)
  })
}

async function firstBytes(socket: net.Socket): Promise<Buffer> {
  await happened(socket, 'readable')
  return (socket.read() as Buffer | null) ?? Buffer.alloc(0)
}

/** Reads whole frames from a socket in paused mode, for the login only. */
class LoginReader {
  #buffer: Buffer = Buffer.alloc(0)
  readonly #socket: net.Socket

  constructor(socket: net.Socket) {
    this.#socket = socket
  }

  get rest(): number {
    return this.#buffer.length
  }

  async next(): Promise<Buffer> {
    for (;;) {
      if (this.#buffer.length >= 5) {
        const length = 1 + this.#buffer.readUInt32BE(1)
        if (length < 5 || length > MAX_LOGIN_FRAME_BYTES) throw new Error('malformed message during login')
        if (this.#buffer.length >= length) {
          const frame = this.#buffer.subarray(0, length)
          this.#buffer = this.#buffer.subarray(length)
          return frame
        }
      }
      const chunk = this.#socket.read() as Buffer | null
      if (chunk === null) await happened(this.#socket, 'readable')
      else this.#buffer = Buffer.concat([this.#buffer, chunk])
      if (chunk === null && this.#socket.readableEnded) throw new Error('connection closed during login')
    }
  }
}

async function logIn(socket: net.Socket, login: Login): Promise<ServerIdentity> {
  const parameters = new Map<string, string>()
  let pid = 0
  let secret = Buffer.alloc(0)
  let scram: ScramClient | null = null
  const reader = new LoginReader(socket)
  socket.write(
    startup(
      new Map([
        ['user', login.user],
        ['database', login.database],
        ['client_encoding', 'UTF8'],
      ]),
    ),
  )
  for (;;) {
    const frame = await reader.next()
    switch (frame[0]) {
      case code.AUTHENTICATION:
        scram = authenticate(socket, login, frame, scram)
        break
      case code.PARAMETER_STATUS: {
        const middle = frame.indexOf(0, 5)
        parameters.set(frame.toString('utf8', 5, middle), frame.toString('utf8', middle + 1, frame.length - 1))
        break
      }
      case code.BACKEND_KEY:
        pid = frame.readInt32BE(5)
        secret = Buffer.from(frame.subarray(9))
        break
      case code.ERROR_RESPONSE: {
        const fields = errorFields(frame, 0, frame.length)
        throw unavailable(login, `${fields.message} (${fields.sqlstate})`)
      }
      case code.NOTICE:
        break
      case code.READY:
        if (reader.rest > 0) throw new Error('unexpected bytes after login')
        return { pid, secret, parameters }
      default:
        throw new Error(`unexpected message type 0x${(frame[0] ?? 0).toString(16)} during login`)
    }
  }
}

function authenticate(socket: net.Socket, login: Login, frame: Buffer, scram: ScramClient | null): ScramClient | null {
  const request = frame.readInt32BE(5)
  const secret = login.password
  if (request === 0) return scram
  if (secret === null) throw unavailable(login, `no password is known for server user "${login.user}"`)
  if (request === 3) {
    socket.write(passwordMessage(Buffer.from(`${secret}\0`, 'utf8')))
  } else if (request === 5) {
    socket.write(passwordMessage(Buffer.from(`${md5Password(login.user, secret, frame.subarray(9, 13))}\0`, 'latin1')))
  } else if (request === 10) {
    const client = new ScramClient(secret)
    const first = client.first()
    const head = Buffer.from('SCRAM-SHA-256\0', 'latin1')
    const length = Buffer.alloc(4)
    length.writeInt32BE(first.length)
    socket.write(passwordMessage(Buffer.concat([head, length, first])))
    return client
  } else if (request === 11 && scram !== null) {
    socket.write(passwordMessage(scram.next(frame.subarray(9))))
  } else if (request === 12 && scram !== null) {
    scram.verify(frame.subarray(9))
  } else {
    throw unavailable(login, `the server asks for authentication method ${request}, which is not supported`)
  }
  return scram
}
