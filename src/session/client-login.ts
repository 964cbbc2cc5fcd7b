/**
 * A client from its first byte to its first ReadyForQuery: TLS and GSS requests, cancel requests, startup packet,
 * authentication, parameters. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import type { Socket } from 'node:net'
import tls from 'node:tls'
import { ShardwayError } from '../errors/shardway-error.ts'
import { authenticationOk, errorOf, frame } from '../protocol/backend-messages.ts'
import * as code from '../protocol/codes.ts'
import { ScramServer } from '../protocol/scram-server.ts'
import type { Environment } from '../execute/environment.ts'
import { negotiation, spokenVersion } from './negotiate.ts'
import { readParameters, violation } from './startup-packet.ts'

const LOGIN_TIMEOUT_MS = 60_000
/** MAX_STARTUP_PACKET_LENGTH of Postgres. */
const MAX_STARTUP_BYTES = 10_000
const MAX_PASSWORD_BYTES = 65_536
/** The longest cancel key that protocol 3.2 allows. */
const MAX_CANCEL_KEY_BYTES = 256
const TLS_HANDSHAKE = 0x16
const SCRAM = 'SCRAM-SHA-256'

export interface LoggedIn {
  readonly socket: Socket
  readonly user: string
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
  readonly tls: string
  /** Version spoken, as in the startup packet. */
  readonly protocol: number
  /** Bytes that came behind the login; the next 'data' continues them. */
  readonly rest: Buffer
}

export interface LoginOptions {
  readonly socket: Socket
  readonly environment: Environment
  /** Only the console may be entered: max_client_conn is reached. */
  readonly over: boolean
  readonly onLoggedIn: (login: LoggedIn) => void
  readonly onClosed: () => void
}

type Phase = 'first' | 'startup' | 'sasl-initial' | 'sasl-response' | 'done'

export class ClientLogin {
  #socket: Socket
  readonly #options: LoginOptions
  readonly #timer: NodeJS.Timeout
  #phase: Phase = 'first'
  #buffer: Buffer = Buffer.alloc(0)
  #tls = ''
  #protocol: number = code.PROTOCOL_3_0
  #parameters: ReadonlyMap<string, string> = new Map()
  #user = ''
  #database = ''
  #scram: ScramServer | null = null
  readonly #onData = (chunk: Buffer) => this.#data(chunk)
  readonly #onClose = () => this.#closed()

  constructor(options: LoginOptions) {
    this.#options = options
    this.#socket = options.socket
    this.#timer = setTimeout(() => this.#refuse(timedOut()), LOGIN_TIMEOUT_MS)
    this.#listen(options.socket)
  }

  #listen(socket: Socket): void {
    socket.on('data', this.#onData)
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', this.#onClose)
  }

  #closed(): void {
    clearTimeout(this.#timer)
    if (this.#phase === 'done') return
    this.#phase = 'done'
    this.#options.onClosed()
  }

  #data(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    try {
      while (this.#phase !== 'done' && this.#next()) {
        // each turn takes one message off the buffer
      }
    } catch (error) {
      if (error instanceof ShardwayError) return this.#refuse(error)
      this.#options.environment.logWarning('internal error at login', { error: String(error) })
      this.#refuse(new ShardwayError('internal', 'XX000', 'internal error of the proxy'))
    }
  }

  #refuse(error: ShardwayError): void {
    if (this.#phase === 'done') return
    this.#socket.end(errorOf(error, 'FATAL'))
    this.#socket.destroySoon()
    this.#closed()
  }

  /** Takes one message; false when more bytes are needed. */
  #next(): boolean {
    if (this.#phase === 'first' || this.#phase === 'startup') return this.#firstPacket()
    const size = this.#buffer.length
    if (size < 1) return false
    if (this.#buffer[0] !== code.PASSWORD) {
      throw new ShardwayError(
        'protocol_violation',
        '08P01',
        `expected SASL response, got message type ${this.#buffer[0] ?? 0}`,
      )
    }
    if (size < 5) return false
    const length = this.#buffer.readUInt32BE(1)
    if (length < 4 || length > MAX_PASSWORD_BYTES) throw violation('invalid message length')
    if (size < 1 + length) return false
    const body = this.#buffer.subarray(5, 1 + length)
    this.#buffer = this.#buffer.subarray(1 + length)
    this.#sasl(body)
    return true
  }

  #firstPacket(): boolean {
    const buffer = this.#buffer
    if (
      buffer[0] === TLS_HANDSHAKE &&
      this.#phase === 'first' &&
      this.#tls === '' &&
      this.#options.environment.tls !== null
    ) {
      this.#buffer = Buffer.alloc(0)
      this.#startTls(buffer)
      return false
    }
    if (buffer.length < 4) return false
    const length = buffer.readUInt32BE(0)
    if (length < 8 || length > MAX_STARTUP_BYTES) throw violation('invalid length of startup packet')
    if (buffer.length < length) return false
    const request = buffer.readUInt32BE(4)
    if (request === code.SSL_REQUEST || request === code.GSS_REQUEST) {
      // Anything behind the request would be plain text taken for encrypted (CVE-2021-23214).
      if (buffer.length !== 8 || length !== 8) throw violation('received unencrypted data after SSL or GSS request')
      if (this.#tls !== '') throw violation('encryption requested inside TLS')
      this.#buffer = Buffer.alloc(0)
      if (request === code.SSL_REQUEST && this.#options.environment.tls !== null) {
        this.#socket.write('S')
        this.#startTls(null)
      } else this.#socket.write('N')
      return false
    }
    this.#buffer = buffer.subarray(length)
    if (request === code.CANCEL_REQUEST) return this.#cancel(buffer.subarray(0, length))
    this.#startup(buffer.subarray(0, length), request)
    return true
  }

  #startTls(seen: Buffer | null): void {
    const context = this.#options.environment.tls
    if (context === null) return
    const plain = this.#socket
    plain.off('data', this.#onData)
    if (seen !== null) plain.unshift(seen)
    const secured = new tls.TLSSocket(plain, {
      isServer: true,
      secureContext: context.secureContext,
      ALPNProtocols: ['postgresql'],
    })
    this.#tls = 'TLS'
    this.#socket = secured
    secured.on('secure', () => {
      this.#tls = `${secured.getProtocol() ?? 'TLS'}/${secured.getCipher().name}`
    })
    this.#listen(secured)
  }

  #cancel(packet: Buffer): boolean {
    if (packet.length >= 16 && packet.length <= 12 + MAX_CANCEL_KEY_BYTES) {
      this.#options.environment.cancel(packet.readInt32BE(8), packet.toString('hex', 12))
    }
    this.#socket.end()
    this.#closed()
    return false
  }

  #startup(packet: Buffer, version: number): void {
    if (version >>> 16 !== 3) {
      throw new ShardwayError(
        'protocol_version',
        '0A000',
        `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0`,
      )
    }
    this.#parameters = readParameters(packet)
    this.#protocol = spokenVersion(version)
    const negotiated = negotiation(version, this.#parameters.keys())
    if (negotiated !== null) this.#socket.write(negotiated)
    this.#user = this.#parameters.get('user') ?? ''
    this.#database = this.#parameters.get('database') ?? this.#user
    if (this.#user === '')
      throw new ShardwayError('no_user', '28000', 'no PostgreSQL user name specified in startup packet')
    if (this.#parameters.has('replication') && this.#parameters.get('replication') !== 'false') {
      throw new ShardwayError('replication', '0A000', 'replication connections through the proxy are not supported', {
        hint: 'Connect to the server itself.',
      })
    }
    this.#checkTls()
    const { environment, over } = this.#options
    if (over && !isConsole(this.#database)) {
      throw new ShardwayError('too_many_clients', '53300', 'no more connections allowed (max_client_conn)', {
        hint: 'Raise [pool] max_client_conn.',
      })
    }
    if (environment.draining && !isConsole(this.#database)) {
      throw new ShardwayError('shutting_down', '57P01', 'the proxy is shutting down')
    }
    if (environment.config.auth.method === 'trust') return this.#authenticated()
    this.#scram = new ScramServer(environment.users.verifiersOf(this.#user))
    this.#phase = 'sasl-initial'
    const mechanisms = Buffer.from(`\0\0\0\x0a${SCRAM}\0\0`, 'latin1')
    this.#socket.write(frame(code.AUTHENTICATION, mechanisms))
  }

  #checkTls(): void {
    const mode = this.#options.environment.config.listen.tls.mode
    if (this.#tls !== '' || mode === 'disable' || mode === 'allow' || mode === 'prefer') return
    throw new ShardwayError('tls_required', '28000', 'TLS is required', { hint: 'Connect with sslmode=require.' })
  }

  #sasl(body: Buffer): void {
    if (this.#scram === null) throw violation('no SASL exchange is under way')
    if (this.#phase === 'sasl-initial') {
      const nameEnd = body.indexOf(0)
      if (nameEnd < 0 || nameEnd + 5 > body.length) throw violation('malformed SASL initial response')
      if (body.toString('latin1', 0, nameEnd) !== SCRAM) throw violation('client selected an invalid SASL mechanism')
      const length = body.readInt32BE(nameEnd + 1)
      if (length !== body.length - nameEnd - 5) throw violation('malformed SASL initial response')
      const first = this.#scram.first(body.subarray(nameEnd + 5))
      this.#phase = 'sasl-response'
      this.#socket.write(frame(code.AUTHENTICATION, Buffer.concat([Buffer.from([0, 0, 0, 11]), first])))
      return
    }
    const final = this.#scram.final(body)
    if (final === null) {
      throw new ShardwayError('bad_password', '28P01', `password authentication failed for user "${this.#user}"`)
    }
    this.#socket.write(frame(code.AUTHENTICATION, Buffer.concat([Buffer.from([0, 0, 0, 12]), final])))
    this.#authenticated()
  }

  #authenticated(): void {
    const { environment } = this.#options
    const known = isConsole(this.#database) || environment.database(this.#database) !== null
    if (!known) {
      throw new ShardwayError('no_such_database', '3D000', `database "${this.#database}" does not exist`)
    }
    if (!environment.users.mayEnter(this.#user, this.#database)) {
      throw new ShardwayError(
        'not_admitted',
        '28000',
        `user "${this.#user}" may not enter database "${this.#database}"`,
        {
          hint: isConsole(this.#database)
            ? 'The console needs admin = true or stats = true.'
            : 'See [[users]] databases.',
        },
      )
    }
    this.#phase = 'done'
    clearTimeout(this.#timer)
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData)
    socket.off('close', this.#onClose)
    socket.write(authenticationOk)
    this.#options.onLoggedIn({
      socket,
      user: this.#user,
      database: this.#database,
      parameters: this.#parameters,
      tls: this.#tls,
      protocol: this.#protocol,
      rest: this.#buffer,
    })
  }
}

/** The admin console's database and the name that PgBouncer's tools use. */
export function isConsole(database: string): boolean {
  return database === 'shardway' || database === 'pgbouncer'
}

function timedOut(): ShardwayError {
  return new ShardwayError('login_timeout', '08P01', 'client_login_timeout', {
    detail: `The client did not log in within ${LOGIN_TIMEOUT_MS} ms.`,
  })
}
