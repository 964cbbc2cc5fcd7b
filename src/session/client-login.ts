/**
 * A client from its first byte to its first ReadyForQuery: TLS and GSS requests, cancel requests, startup packet,
 * authentication. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { NO_SECRET, type ServerSecret } from '../../pool/server-secret.ts'
import type { Account } from '../auth/account.ts'
import type { Method } from '../auth/authentication.ts'
import type { Answer, Exchange } from '../auth/exchange.ts'
import { isConsole } from '../auth/users.ts'
import type { Environment } from '../execute/environment.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { authenticationOk } from '../protocol/backend-messages.ts'
import * as code from '../protocol/codes.ts'
import { ALPN, describeTls } from './client-tls.ts'
import { lastWord } from './last-word.ts'
import type { LoggedIn } from './logged-in.ts'
import { negotiation, spokenVersion } from './negotiate.ts'
import {
  logRefusal,
  refuseMore,
  refuseRequest,
  refuseTransport,
  refuseUncertified,
  readRequest,
  type StartupRequest,
  timedOut,
} from './startup-checks.ts'
import { checkStartupLength, passwordMessageBytes, readCancelRequest, violation } from './startup-packet.ts'

const TLS_HANDSHAKE = 0x16

export interface LoginOptions {
  readonly socket: Socket
  readonly environment: Environment
  /** Only the console may be entered: max_client_conn is reached. */
  readonly over: boolean
  readonly onLoggedIn: (login: LoggedIn) => void
  readonly onClosed: () => void
}

/** waiting: something is looked up or derived; the socket is paused meanwhile. */
type Phase = 'startup' | 'handshake' | 'waiting' | 'password' | 'done'

export class ClientLogin {
  #socket: Socket
  readonly #options: LoginOptions
  readonly #timer: NodeJS.Timeout | undefined
  #phase: Phase = 'startup'
  #buffer: Buffer = Buffer.alloc(0)
  /** Nothing was said yet: only then may a TLS handshake begin at once. */
  #silent = true
  #tls = ''
  /** Of the certificate that the handshake showed: a reload may have brought another since. */
  #endPoint: Buffer | null = null
  /** Its place has been given up. */
  #over = false
  #request: StartupRequest = { version: 0, parameters: new Map(), user: '', database: '' }
  #account: Account | null = null
  #exchange: Exchange | null = null
  readonly #onData = (chunk: Buffer) => this.#data(chunk)
  readonly #onClose = () => this.#closed()

  constructor(options: LoginOptions) {
    this.#options = options
    this.#socket = options.socket
    const limitMs = options.environment.config.pool.client_login_timeout
    if (limitMs > 0) this.#timer = setTimeout(() => this.#refuse(timedOut(limitMs)), limitMs)
    this.#listen(options.socket)
  }

  #listen(socket: Socket): void {
    socket.on('data', this.#onData)
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', this.#onClose)
  }

  #closed(): void {
    clearTimeout(this.#timer)
    this.#phase = 'done'
    if (this.#over) return
    this.#over = true
    this.#options.onClosed()
  }

  #data(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    this.#advance()
  }

  #advance(): void {
    try {
      while (this.#next()) {
        // each turn takes one message off the buffer
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (error instanceof ShardwayError) return this.#refuse(error)
    this.#options.environment.logWarning('internal error at login', { error })
    this.#refuse(new ShardwayError('internal', 'XX000', 'internal error of the proxy'))
  }

  #refuse(error: ShardwayError): void {
    if (this.#phase === 'done') return
    logRefusal(this.#options.environment, this.#socket, this.#request, error)
    const garbled = this.#phase === 'handshake'
    this.#phase = 'done'
    clearTimeout(this.#timer)
    // In the middle of a handshake a message would only be garbage. Its place is free when it has closed.
    if (garbled) this.#socket.destroy()
    else lastWord(this.#socket, error)
  }

  /** Takes one message; false when more bytes are needed, or a promise's end. */
  #next(): boolean {
    if (this.#phase === 'startup') return this.#firstPacket()
    if (this.#phase !== 'password' || this.#buffer.length < 1) return false
    const size = passwordMessageBytes(this.#buffer)
    if (size === 0) return false
    const body = this.#buffer.subarray(5, size)
    this.#buffer = this.#buffer.subarray(size)
    const answer = this.#exchange?.answer(body)
    if (answer === undefined) throw violation('no authentication is under way')
    return this.#wait(answer, found => this.#judge(found))
  }

  /** Goes on with a value that is there or comes later; true when the next message may be taken at once. */
  #wait<Value>(value: Value | Promise<Value>, then: (value: Value) => void): boolean {
    if (!(value instanceof Promise)) {
      then(value)
      return true
    }
    this.#phase = 'waiting'
    this.#socket.pause()
    value.then(
      found => {
        if (this.#phase === 'done') return
        try {
          then(found)
        } catch (error) {
          return this.#failed(error)
        }
        // `then` has chosen the next phase; after 'done' the socket has another reader.
        if (this.#after() === 'done') return
        this.#socket.resume()
        this.#advance()
      },
      (error: unknown) => this.#failed(error),
    )
    return false
  }

  #after(): Phase {
    return this.#phase
  }

  #firstPacket(): boolean {
    const buffer = this.#buffer
    const { environment } = this.#options
    const { tls } = environment
    if (buffer[0] === TLS_HANDSHAKE && this.#silent && tls !== null) {
      this.#buffer = Buffer.alloc(0)
      this.#startTls(buffer)
      return false
    }
    if (buffer.length < 4) return false
    const length = buffer.readUInt32BE(0)
    checkStartupLength(length)
    if (buffer.length < length) return false
    this.#silent = false
    const request = buffer.readUInt32BE(4)
    if (request === code.SSL_REQUEST || request === code.GSS_REQUEST) {
      // Anything behind the request would be plain text taken for encrypted (CVE-2021-23214).
      if (buffer.length !== 8 || length !== 8) throw violation('received unencrypted data after SSL or GSS request')
      if (this.#tls !== '') throw violation('encryption requested inside TLS')
      this.#buffer = Buffer.alloc(0)
      if (request === code.SSL_REQUEST && tls !== null) {
        this.#socket.write('S')
        this.#startTls(null)
      } else this.#socket.write('N')
      return false
    }
    this.#buffer = buffer.subarray(length)
    const packet = buffer.subarray(0, length)
    if (request === code.CANCEL_REQUEST) {
      const cancel = readCancelRequest(packet)
      if (cancel !== null) environment.cancel(cancel.pid, cancel.secret)
      this.#socket.end()
      this.#closed()
      return false
    }
    return this.#startup(packet, request)
  }

  /** @param seen a client that began with its handshake, without asking first; null: it asked. */
  #startTls(seen: Buffer | null): void {
    const context = this.#options.environment.tls
    if (context === null) return
    const plain = this.#socket
    plain.off('data', this.#onData)
    this.#phase = 'handshake'
    this.#endPoint = context.endPoint
    context.secure(plain, seen, secured => this.#secured(secured, seen !== null))
  }

  #secured(socket: TLSSocket, direct: boolean): void {
    if (this.#phase === 'done') {
      socket.destroy()
      return
    }
    this.#silent = false
    this.#tls = describeTls(socket)
    this.#socket = socket
    this.#phase = 'startup'
    this.#listen(socket)
    // Another protocol's client must not be talked into speaking this one (ALPACA); Postgres demands it too.
    if (direct && socket.alpnProtocol !== ALPN) {
      this.#refuse(violation('received direct SSL connection request without ALPN protocol negotiation extension'))
    }
  }

  #startup(packet: Buffer, version: number): boolean {
    const request = readRequest(packet, version)
    const { user, database, parameters } = request
    this.#request = request
    const { environment, over } = this.#options
    refuseRequest(request)
    refuseTransport(environment, this.#socket, user)
    const negotiated = negotiation(version, parameters.keys())
    if (negotiated !== null) this.#socket.write(negotiated)
    refuseMore(environment, over, database)
    const { authentication } = environment
    const address = this.#socket.remoteAddress ?? ''
    const method = authentication.methodFor({ address, tls: this.#tls !== '', user, database })
    return this.#wait(authentication.account(user, database), account => this.#begin(method, account))
  }

  #begin(method: Method, account: Account): void {
    this.#account = account
    if (method === 'trust') return this.#authenticated(NO_SECRET)
    if (method === 'cert') {
      refuseUncertified(this.#socket, account)
      return this.#authenticated(NO_SECRET)
    }
    this.#exchange = this.#options.environment.authentication.exchange(method, account, this.#endPoint)
    this.#phase = 'password'
    this.#socket.write(this.#exchange.request)
  }

  #judge({ reply, verdict, secret }: Answer): void {
    if (verdict === 'wrong') {
      const { user, database } = this.#request
      this.#options.environment.authentication.failed(user, database)
      throw new ShardwayError('bad_password', '28P01', `password authentication failed for user "${user}"`)
    }
    this.#phase = 'password'
    if (reply !== null) this.#socket.write(reply)
    if (verdict === 'right') this.#authenticated(secret)
  }

  #authenticated(secret: ServerSecret): void {
    const { environment } = this.#options
    const { user, database, parameters, version } = this.#request
    const console = isConsole(database)
    if (!console && environment.database(database) === null) {
      throw new ShardwayError('no_such_database', '3D000', `database "${database}" does not exist`)
    }
    const account = this.#account
    if (account === null || !environment.authentication.admits(account, database)) {
      throw new ShardwayError('not_admitted', '28000', `user "${user}" may not enter database "${database}"`, {
        hint: console ? 'The console needs admin = true or stats = true.' : 'See [[users]] databases.',
      })
    }
    environment.authentication.succeeded(account, database, secret)
    this.#phase = 'done'
    clearTimeout(this.#timer)
    // Its place is the session's from here on, whose end the socket below a TLS one sees as well.
    this.#over = true
    this.#options.socket.off('close', this.#onClose)
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData)
    socket.off('close', this.#onClose)
    socket.write(authenticationOk)
    this.#options.onLoggedIn({
      socket,
      user,
      database,
      parameters,
      tls: this.#tls,
      protocol: spokenVersion(version),
      rest: this.#buffer,
    })
  }
}
