/**
 * Opens a connection to a Postgres server: TLS request, startup, authentication, until the first ReadyForQuery.
 * Control path: promises are fine here. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import net from 'node:net'
import tls from 'node:tls'
import { ShardwayError } from '../src/errors/shardway-error.ts'
import * as code from '../src/protocol/codes.ts'
import { errorFields } from '../src/protocol/error-fields.ts'
import { cancelRequest, sslRequest, startup } from '../src/protocol/frontend-messages.ts'
import type { ServerIdentity } from './server-connection.ts'
import { ServerLogin } from './server-login.ts'
import type { ServerSecret } from './server-secret.ts'

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
  /** Asked at each login: what is known of a user changes with the logins of clients. */
  readonly secret: () => ServerSecret
}

const MAX_LOGIN_FRAME_BYTES = 1024 * 1024
const ANSWER_YES = 0x53 // S
const ANSWER_NO = 0x4e // N

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

/** The longest that a timer takes. */
const NO_LIMIT_MS = 2_147_483_647

/** `timeoutMs`: 0: no limit. Resolves with a socket that nobody reads yet. Rejects with ShardwayError 08006. */
export async function openServer(
  login: Login,
  timeoutMs: number,
): Promise<{ socket: net.Socket; identity: ServerIdentity }> {
  const limitMs = timeoutMs || NO_LIMIT_MS
  if (login.tls.mode !== 'allow') return await openOnce(login, limitMs)
  try {
    return await openOnce({ ...login, tls: { ...login.tls, mode: 'disable' } }, limitMs)
  } catch (error) {
    // As in libpq: plain text first, TLS where the server's rules refuse that.
    if (!(error instanceof ShardwayError) || !(error.cause instanceof PlainTextRefused)) throw error
    return await openOnce({ ...login, tls: { ...login.tls, mode: 'require' } }, limitMs)
  }
}

class PlainTextRefused extends Error {}

async function openOnce(login: Login, timeoutMs: number): Promise<{ socket: net.Socket; identity: ServerIdentity }> {
  const socket = await openSocket({ ...login, timeoutMs })
  const timer = setTimeout(() => socket.destroy(new Error('login timed out')), timeoutMs)
  try {
    const identity = await logIn(socket, login)
    return { socket, identity }
  } catch (error) {
    socket.destroy()
    if (error instanceof ShardwayError && error.code === 'server_unavailable') throw error
    const detail = error instanceof ShardwayError && error.detail !== undefined ? ` (${error.detail})` : ''
    throw unavailable(login, `${error instanceof Error ? error.message : String(error)}${detail}`, error)
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
    if (answer[0] === ANSWER_YES) return await startTls(socket, address)
    // Whatever else comes, an error's text for one, is from nobody knows whom.
    if (answer[0] !== ANSWER_NO) throw unavailable(address, 'unexpected answer to the request for TLS')
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
    // What the certificate must name; without it an address would be held against "localhost".
    host: address.host,
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
  const authentication = new ServerLogin(socket, login.user, login.secret())
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
        await authentication.answer(frame.subarray(5))
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
        const text = `${fields.message} (${fields.sqlstate})`
        const plain = fields.sqlstate === '28000' && !(socket instanceof tls.TLSSocket)
        throw unavailable(login, text, plain ? new PlainTextRefused(text) : undefined)
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
