import { connect, type Socket } from 'node:net'
import { md5Password } from '../../src/protocol/md5.ts'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import { frames } from './frames.ts'
import { errorOf, fieldsOf, type Message } from './messages.ts'

export interface WireOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Further startup parameters. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Version in the startup packet; default 3.0. */
  readonly protocol?: number
}

/** What the server said instead of letting the client in. */
export class WireError extends Error {
  readonly fields: Record<string, string>

  constructor(fields: Record<string, string>) {
    super(`${fields['C']}: ${fields['M']}`)
    this.fields = fields
  }
}

const ANSWER_LIMIT_MS = 30_000

/** A Postgres client that hides nothing: any bytes go out, every message that comes back is seen. */
export class Wire {
  readonly socket: Socket
  readonly parameters = new Map<string, string>()
  pid = 0
  secret: Buffer = Buffer.alloc(0)
  /** True once the other side has closed or the connection broke. */
  closed = false
  #bytes: Buffer = Buffer.alloc(0)
  #chunks: Buffer[] = []
  #waiter: (() => void) | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', chunk => {
      this.#chunks.push(chunk)
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
    socket.on('end', () => {
      this.closed = true
      this.#wake()
    })
  }

  /** A TCP connection on which nothing was said yet. */
  static async open({ host, port }: { host: string; port: number }): Promise<Wire> {
    const socket = connect({ host, port })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Wire(socket)
  }

  /** On a connection that somebody else has made, TLS for one. */
  static over(socket: Socket): Wire {
    return new Wire(socket)
  }

  /** Logged in and ready. */
  static async connect(options: WireOptions): Promise<Wire> {
    const wire = await Wire.open(options)
    try {
      await wire.login(options)
    } catch (error) {
      wire.destroy()
      throw error
    }
    return wire
  }

  /** Startup and authentication to the first ReadyForQuery; throws a WireError on an ErrorResponse. */
  async login({ user, password, database, parameters, protocol }: WireOptions): Promise<Message[]> {
    this.send(frames.startup({ user, database, ...parameters }, protocol))
    const seen: Message[] = []
    let scram: ScramClient | null = null
    for (;;) {
      const message = await this.next()
      seen.push(message)
      if (message.type === 'E') throw new WireError(fieldsOf(message))
      if (message.type === 'S') this.#parameter(message)
      if (message.type === 'K') {
        this.pid = message.body.readInt32BE(0)
        this.secret = Buffer.from(message.body.subarray(4))
      }
      if (message.type === 'Z') return seen
      if (message.type !== 'R') continue
      const rest = message.body.subarray(4)
      switch (message.body.readInt32BE(0)) {
        case 3:
          this.send(frames.password(`${password}\0`))
          break
        case 5:
          this.send(frames.password(`${md5Password(user, password, rest)}\0`))
          break
        case 10: {
          scram = new ScramClient(password)
          const first = scram.first()
          this.send(frames.password(Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), frames.int32(first.length), first])))
          break
        }
        case 11:
          if (scram !== null) this.send(frames.password(scram.next(rest)))
          break
        case 12:
          scram?.verify(rest)
          break
        default:
      }
    }
  }

  send(...parts: readonly Buffer[]): void {
    this.socket.write(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
  }

  /** Sends in pieces cut at the offsets, each in a packet of its own. */
  async sendSplit(bytes: Buffer, ...offsets: readonly number[]): Promise<void> {
    let from = 0
    for (const to of [...offsets, bytes.length]) {
      await new Promise<void>(resolve => this.socket.write(bytes.subarray(from, to), () => resolve()))
      // A turn of the event loop of the reader is what makes it two reads; the pieces may still be joined, harmlessly.
      await new Promise<void>(resolve => setImmediate(resolve))
      from = to
    }
  }

  /** The next message; throws when the connection ends or nothing comes for half a minute. */
  async next(limitMs = ANSWER_LIMIT_MS): Promise<Message> {
    for (;;) {
      const message = this.#take()
      if (message !== null) return message
      if (this.closed) throw new Error('the connection was closed')
      await this.#wait(limitMs)
    }
  }

  /** Messages up to and with the n-th of a type; without asynchronous ParameterStatus unless asked for. */
  async until(type: string, count = 1): Promise<Message[]> {
    const seen: Message[] = []
    for (let left = count; left > 0; ) {
      const message = await this.next()
      if (message.type === 'S') this.#parameter(message)
      seen.push(message)
      if (message.type === type) left--
    }
    return seen
  }

  /** A simple query and all that it brings, to ReadyForQuery. */
  async query(sql: string): Promise<Message[]> {
    this.send(frames.query(sql))
    return await this.until('Z')
  }

  /** The same; throws on an error. */
  async run(sql: string): Promise<Message[]> {
    const messages = await this.query(sql)
    const error = errorOf(messages)
    if (error !== null) throw new WireError(error)
    return messages
  }

  /** Frames followed by a Sync, and all that they bring. */
  async exchange(...parts: readonly Buffer[]): Promise<Message[]> {
    this.send(...parts, frames.sync)
    return await this.until('Z')
  }

  /** Everything up to the end of the connection. */
  async rest(limitMs = ANSWER_LIMIT_MS): Promise<Message[]> {
    const seen: Message[] = []
    for (;;) {
      const message = this.#take()
      if (message !== null) seen.push(message)
      else if (this.closed) return seen
      else await this.#wait(limitMs)
    }
  }

  /** Bytes as they came, for answers that are no messages (SSLRequest). */
  async bytes(count: number): Promise<Buffer> {
    for (;;) {
      this.#join()
      if (this.#bytes.length >= count) {
        const taken = this.#bytes.subarray(0, count)
        this.#bytes = this.#bytes.subarray(count)
        return taken
      }
      if (this.closed) throw new Error('the connection was closed')
      await this.#wait(ANSWER_LIMIT_MS)
    }
  }

  /** Terminate, and the end of the connection. */
  async end(): Promise<void> {
    if (!this.socket.destroyed) {
      this.socket.end(frames.terminate)
      if (!this.closed) await new Promise<void>(resolve => this.socket.once('close', () => resolve()))
    }
    this.socket.destroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  #join(): void {
    if (this.#chunks.length === 0) return
    this.#bytes = Buffer.concat([this.#bytes, ...this.#chunks])
    this.#chunks = []
  }

  #take(): Message | null {
    if (this.#bytes.length < 5 || this.#bytes.length < 1 + this.#bytes.readInt32BE(1)) this.#join()
    if (this.#bytes.length < 5) return null
    const end = 1 + this.#bytes.readInt32BE(1)
    if (this.#bytes.length < end) return null
    const message = { type: String.fromCharCode(this.#bytes[0] ?? 0), body: this.#bytes.subarray(5, end) }
    this.#bytes = this.#bytes.subarray(end)
    return message
  }

  #parameter({ body }: Message): void {
    const middle = body.indexOf(0)
    this.parameters.set(body.toString('utf8', 0, middle), body.toString('utf8', middle + 1, body.length - 1))
  }

  async #wait(limitMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiter = null
        reject(new Error(`no answer for ${limitMs} ms`))
      }, limitMs)
      this.#waiter = () => {
        clearTimeout(timer)
        this.#waiter = null
        resolve()
      }
    })
  }

  #wake(): void {
    this.#waiter?.()
  }
}

/** A cancel request on a connection of its own, to the end of that connection. */
export async function sendCancel(target: { host: string; port: number }, pid: number, secret: Buffer): Promise<void> {
  const wire = await Wire.open(target)
  wire.send(frames.cancel(pid, secret))
  await wire.rest()
  wire.destroy()
}
