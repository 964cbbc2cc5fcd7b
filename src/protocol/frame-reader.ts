/**
 * Cuts a client's byte stream into frames. Frames are handed out as ranges of the chunk they arrived in; only a frame
 * split over chunks is copied, once. A frame longer than the limit is skipped without being kept.
 */
import { ShardwayError } from '../errors/shardway-error.ts'
import { MAX_FRAME_BYTES } from './codes.ts'

export interface FrameHandler {
  /** One whole frame: type byte at `start`, length at `start + 1`, body from `start + 5` to `end`. */
  onFrame(type: number, buffer: Buffer, start: number, end: number): void
  /** A frame over the limit was announced; its bytes will be dropped. */
  onOversizedFrame(type: number, length: number): void
}

const FRONTEND_TYPES: ReadonlySet<number> = new Set(Buffer.from('BCDEFHPQSXcdfp', 'latin1'))

export class FrameReader {
  #pending: Buffer[] = []
  #pendingBytes = 0
  /** Bytes that the frame in `#pending` needs in all; 0 while its header is incomplete. */
  #needed = 0
  #skip = 0
  readonly #handler: FrameHandler
  readonly #limitBytes: number

  constructor(handler: FrameHandler, limitBytes: number) {
    this.#handler = handler
    this.#limitBytes = limitBytes
  }

  /** Throws ShardwayError 08P01 on a type that no client sends and on a length that no frame can have. */
  push(chunk: Buffer): void {
    let buffer = chunk
    if (this.#skip > 0) {
      const dropped = Math.min(this.#skip, buffer.length)
      this.#skip -= dropped
      if (dropped === buffer.length) return
      buffer = buffer.subarray(dropped)
    }
    if (this.#pendingBytes > 0) {
      this.#pending.push(buffer)
      this.#pendingBytes += buffer.length
      if (this.#pendingBytes < this.#needed) return
      buffer = Buffer.concat(this.#pending, this.#pendingBytes)
      this.#pending = []
      this.#pendingBytes = 0
      this.#needed = 0
    }
    this.#scan(buffer)
  }

  #scan(buffer: Buffer): void {
    const size = buffer.length
    let offset = 0
    while (offset < size) {
      const type = buffer[offset] ?? 0
      // Before its length is believed: behind a wrong type there may be anything, and one would wait for it for ever.
      if (!FRONTEND_TYPES.has(type)) {
        throw new ShardwayError('protocol_violation', '08P01', `invalid frontend message type ${type}`)
      }
      if (size - offset < 5) break
      const length = buffer.readUInt32BE(offset + 1)
      if (length < 4 || length > MAX_FRAME_BYTES) {
        throw new ShardwayError('protocol_violation', '08P01', 'invalid message length')
      }
      const end = offset + 1 + length
      if (length > this.#limitBytes) {
        this.#skip = Math.max(0, end - size)
        this.#handler.onOversizedFrame(type, length)
        if (end >= size) return
        offset = end
        continue
      }
      if (end > size) {
        this.#keep(buffer, offset, end - offset)
        return
      }
      this.#handler.onFrame(type, buffer, offset, end)
      offset = end
    }
    if (offset < size) this.#keep(buffer, offset, 5)
  }

  #keep(buffer: Buffer, offset: number, needed: number): void {
    // A copy, so that a few bytes do not keep a whole read buffer alive while the client is idle.
    const rest = buffer.length - offset < 4096 ? Buffer.from(buffer.subarray(offset)) : buffer.subarray(offset)
    this.#pending = [rest]
    this.#pendingBytes = rest.length
    this.#needed = needed
  }
}
