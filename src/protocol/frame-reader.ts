/**
 * Cuts a client's byte stream into frames. Frames are handed out as ranges of the chunk they arrived in; only a frame
 * split over chunks is copied, once. A frame longer than the limit is handed out in pieces and never kept whole.
 */
import { ShardwayError } from '../errors/shardway-error.ts'
import { MAX_FRAME_BYTES } from './codes.ts'

export interface FrameHandler {
  /** One whole frame: type byte at `start`, length at `start + 1`, body from `start + 5` to `end`. */
  onFrame(type: number, buffer: Buffer, start: number, end: number): void
  /** The first bytes of a frame over the limit, header included; `more` bytes (at least one) follow by `onLargeBytes`. */
  onLargeFrame(type: number, buffer: Buffer, start: number, end: number, more: number): void
  /** The next bytes of the frame over the limit; `more` are still to come. */
  onLargeBytes(buffer: Buffer, start: number, end: number, more: number): void
  /** How many of the first bytes of a frame over the limit are wanted in one piece. */
  largeHeadBytes(type: number): number
}

const FRONTEND_TYPES: ReadonlySet<number> = new Set(Buffer.from('BCDEFHPQSXcdfp', 'latin1'))
/** Types of which Postgres takes no longer ones (PQ_SMALL_MESSAGE_LIMIT): nothing but a name is in them. */
const SMALL_TYPES: ReadonlySet<number> = new Set(Buffer.from('CDEHSXcf', 'latin1'))
const SMALL_FRAME_BYTES = 10_000
const HEADER_BYTES = 5
const NONE: Buffer = Buffer.alloc(0)

export class FrameReader {
  /** The beginning of a frame, `#pendingBytes` long. Grows by doubling: a frame that comes byte by byte costs its length. */
  #pending: Buffer = NONE
  #pendingBytes = 0
  /** Bytes that the frame in `#pending` needs in all, as far as is known. */
  #needed = 0
  /** Bytes still to come of a frame that is handed out in pieces. */
  #more = 0
  /** What came while the handler could not take it; null when it can. */
  #kept: Buffer[] | null = null
  readonly #handler: FrameHandler
  readonly #limitBytes: number

  constructor(handler: FrameHandler, limitBytes: number) {
    this.#handler = handler
    this.#limitBytes = limitBytes
  }

  get held(): boolean {
    return this.#kept !== null
  }

  /** Nothing is handed out until `release`, whatever comes. The caller pauses what feeds the reader. */
  hold(): void {
    this.#kept ??= []
  }

  /** Hands out what was kept, until the handler holds it again. Throws as `push` does. */
  release(): void {
    let kept = this.#kept
    this.#kept = null
    for (let next = kept?.shift(); next !== undefined; next = kept?.shift()) {
      this.push(next)
      if (this.held) {
        this.#kept = [...(this.#kept ?? []), ...(kept ?? [])]
        kept = null
      }
    }
  }

  /** Throws ShardwayError 08P01 on a type that no client sends and on a length that no frame can have. */
  push(chunk: Buffer): void {
    if (this.#kept !== null) {
      this.#kept.push(chunk)
      return
    }
    let buffer = chunk
    if (this.#pendingBytes > 0) {
      this.#append(buffer)
      if (this.#pendingBytes < this.#needed) return
      buffer = this.#pending.subarray(0, this.#pendingBytes)
      this.#pending = NONE
      this.#pendingBytes = 0
    }
    this.#scan(buffer, this.#more > 0 ? this.#large(buffer, 0) : 0)
  }

  #scan(buffer: Buffer, from: number): void {
    const size = buffer.length
    let offset = from
    while (offset < size) {
      if (this.#kept !== null) {
        this.#kept.push(buffer.subarray(offset))
        return
      }
      const type = buffer[offset] ?? 0
      // Before its length is believed: behind a wrong type there may be anything, and one would wait for it for ever.
      if (!FRONTEND_TYPES.has(type)) {
        throw new ShardwayError('protocol_violation', '08P01', `invalid frontend message type ${type}`)
      }
      if (size - offset < HEADER_BYTES) break
      const length = buffer.readUInt32BE(offset + 1)
      if (length < 4 || length > (SMALL_TYPES.has(type) ? SMALL_FRAME_BYTES : MAX_FRAME_BYTES)) {
        throw new ShardwayError('protocol_violation', '08P01', 'invalid message length')
      }
      const end = offset + 1 + length
      if (length > this.#limitBytes) {
        const head = Math.min(Math.max(this.#handler.largeHeadBytes(type), HEADER_BYTES), length)
        if (size - offset < head) return this.#keep(buffer, offset, head)
        const stop = Math.min(size, end - 1)
        this.#more = end - stop
        this.#handler.onLargeFrame(type, buffer, offset, stop, this.#more)
        offset = this.held ? stop : this.#large(buffer, stop)
        continue
      }
      if (end > size) return this.#keep(buffer, offset, end - offset)
      this.#handler.onFrame(type, buffer, offset, end)
      offset = end
    }
    if (offset < size) this.#keep(buffer, offset, HEADER_BYTES)
  }

  /** Hands out what is there of the frame over the limit; returns where it stops. */
  #large(buffer: Buffer, start: number): number {
    const end = Math.min(buffer.length, start + this.#more)
    if (end === start) return start
    this.#more -= end - start
    this.#handler.onLargeBytes(buffer, start, end, this.#more)
    return end
  }

  #append(chunk: Buffer): void {
    const bytes = this.#pendingBytes + chunk.length
    if (bytes > this.#pending.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(bytes, Math.min(this.#pending.length * 2, this.#needed)))
      this.#pending.copy(larger, 0, 0, this.#pendingBytes)
      this.#pending = larger
    }
    chunk.copy(this.#pending, this.#pendingBytes)
    this.#pendingBytes = bytes
  }

  /** Copies, so that a few bytes do not keep a whole read buffer alive while the client is idle. */
  #keep(buffer: Buffer, offset: number, needed: number): void {
    this.#pending = Buffer.from(buffer.subarray(offset))
    this.#pendingBytes = this.#pending.length
    this.#needed = needed
  }
}
