/** A client of the admin console: simple queries only, answered by the control process. */
import type { Socket } from 'node:net'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { ConsoleResult } from '../process/messages.ts'
import * as messages from '../protocol/backend-messages.ts'
import * as code from '../protocol/codes.ts'
import { type FrameHandler, FrameReader } from '../protocol/frame-reader.ts'
import type { Environment } from '../execute/environment.ts'
import { lastWord } from './last-word.ts'
import type { LoggedIn } from './logged-in.ts'

const MAX_COMMAND_BYTES = 1024 * 1024
/** More than that is left unread while a statement is under way. Up to there it is seen when the client goes. */
const MAX_KEPT_BYTES = 64 * 1024
/** OID and size on the wire. */
const TYPES = { text: [25, -1], int4: [23, 4], int8: [20, 8], numeric: [1700, -1] } as const

export class ConsoleSession implements FrameHandler {
  readonly socket: Socket
  readonly #environment: Environment
  readonly user: string
  /** Name that it connected to: the console answers to two. */
  readonly database: string
  readonly tls: string
  readonly applicationName: string
  readonly connectedAtMs = Date.now()
  requestAtMs = Date.now()
  readonly #reader: FrameReader
  /** Came while a statement was under way. */
  #keptBytes = 0

  constructor(login: LoggedIn, environment: Environment, onClosed: () => void) {
    const { socket, database } = login
    this.socket = socket
    this.#environment = environment
    this.user = login.user
    this.database = database
    this.tls = login.tls
    this.applicationName = login.parameters.get('application_name') ?? ''
    this.#reader = new FrameReader(this, MAX_COMMAND_BYTES)
    socket.on('data', chunk => this.#onData(chunk))
    socket.on('error', () => undefined) // 'close' follows
    socket.on('close', onClosed)
    for (const [name, value] of [
      ['server_version', database === 'pgbouncer' ? '1.25.0/bouncer' : '15.0 (Shardway)'],
      ['client_encoding', 'UTF8'],
      ['server_encoding', 'UTF8'],
      ['standard_conforming_strings', 'on'],
      ['DateStyle', 'ISO'],
      ['TimeZone', 'GMT'],
      ['is_superuser', 'on'],
    ] as const) {
      socket.write(messages.parameterStatus(name, value))
    }
    socket.write(messages.ready(code.IDLE))
  }

  #onData(chunk: Buffer): void {
    if (this.#reader.held) {
      this.#keptBytes += chunk.length
      if (this.#keptBytes > MAX_KEPT_BYTES) this.socket.pause()
    }
    this.#read(() => this.#reader.push(chunk))
  }

  #read(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof ShardwayError)) throw error
      this.end(error)
    }
  }

  onFrame(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.socket.writableEnded) return
    if (type === code.TERMINATE) {
      this.socket.end()
      return
    }
    if (type !== code.QUERY) {
      return this.end(
        new ShardwayError('console_protocol', '08P01', 'the admin console takes simple queries only', {
          hint: 'Use psql, or the simple query protocol of your driver.',
        }),
      )
    }
    const sql = buffer.toString('utf8', start + 5, Math.max(start + 5, end - 1))
    this.requestAtMs = Date.now()
    // One at a time, and none before the answer to the last one has found room: what the client says waits meanwhile.
    this.#reader.hold()
    if (sql.trim() === '') {
      this.socket.write(Buffer.concat([messages.emptyQueryResponse, messages.ready(code.IDLE)]))
      return this.#answered()
    }
    this.#environment.console(sql, this.user, this.database, result => {
      if (this.socket.destroyed) return
      if (result instanceof Error) {
        const error = result instanceof ShardwayError ? result : new ShardwayError('internal', 'XX000', result.message)
        this.socket.write(Buffer.concat([messages.errorOf(error), messages.ready(code.IDLE)]))
      } else this.socket.write(encode(result))
      this.#answered()
    })
  }

  #answered(): void {
    if (this.socket.writableNeedDrain) {
      this.socket.once('drain', () => this.#goOn())
      return
    }
    // Never from within the frame: thousands of empty statements in one packet would be as many calls deep.
    setImmediate(() => this.#goOn())
  }

  #goOn(): void {
    if (this.socket.destroyed) return
    this.#read(() => this.#reader.release())
    if (this.#reader.held) return
    this.#keptBytes = 0
    this.socket.resume()
  }

  onLargeFrame(): void {
    this.end(new ShardwayError('protocol_violation', '08P01', 'invalid message length'))
  }

  onLargeBytes(): void {}

  largeHeadBytes(): number {
    return 0
  }

  /** Ends the connection with this error as the last message. */
  end(error: ShardwayError): void {
    if (!this.socket.writableEnded) lastWord(this.socket, error)
  }
}

function encode(result: ConsoleResult): Buffer {
  const parts: Buffer[] = result.notices.map(message =>
    messages.noticeResponse({ severity: 'NOTICE', sqlstate: '00000', message }),
  )
  if (result.columns.length > 0) {
    parts.push(
      messages.rowDescription(
        result.columns.map(({ name, type }) => ({ name, oid: TYPES[type][0], size: TYPES[type][1] })),
      ),
    )
    for (const row of result.rows) parts.push(messages.dataRow(row))
  }
  parts.push(messages.commandComplete(result.tag), messages.ready(code.IDLE))
  return Buffer.concat(parts)
}
