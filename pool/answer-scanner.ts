/**
 * Reads what a server sends against the queue of what it was asked. Answers are handed to the owner of the oldest request as
 * ranges of the chunk they arrived in; a frame is looked into only where the proxy must know something. Any answer that does
 * not fit the queue ends the connection (a server in doubt is closed, never reused).
 * https://www.postgresql.org/docs/current/protocol-flow.html
 */
import { ShardwayError } from '../src/errors/shardway-error.ts'
import * as code from '../src/protocol/codes.ts'
import { errorFields } from '../src/protocol/error-fields.ts'
import {
  KIND_BIND,
  KIND_CLOSE,
  KIND_DESCRIBE,
  KIND_EXECUTE,
  KIND_FUNCTION,
  KIND_LOCAL,
  KIND_MASK,
  KIND_PARSE,
  KIND_QUERY,
  KIND_SYNC,
  type RequestQueue,
  SKIP,
} from './request-queue.ts'
import type { LocalAnswer, ServerConnection } from './server-connection.ts'
import { isWellFormed } from './well-formed.ts'

/** Frames other than rows and COPY data are looked at whole; none is honestly longer than this. */
const MAX_CONTROL_FRAME_BYTES = 16 * 1024 * 1024

export class AnswerScanner {
  readonly #server: ServerConnection
  readonly #queue: RequestQueue
  #tail: Buffer | null = null
  /** Bytes of a row still to come, of which the head has been handed over (or dropped). */
  #streaming = 0
  #streamingSkip = false
  /** What the server said before it ended the connection. */
  fatal: ShardwayError | null = null

  constructor(server: ServerConnection, queue: RequestQueue) {
    this.#server = server
    this.#queue = queue
  }

  /** A row has been handed over in part. */
  get midRow(): boolean {
    return this.#streaming > 0 && !this.#streamingSkip
  }

  #desync(type: number): void {
    this.#server.destroy(`server sent message type 0x${type.toString(16)} that answers no request`)
  }

  push(chunk: Buffer): void {
    let buffer = chunk
    if (this.#tail !== null) {
      buffer = Buffer.concat([this.#tail, chunk])
      this.#tail = null
    }
    let offset = 0
    if (this.#streaming > 0) {
      offset = Math.min(this.#streaming, buffer.length)
      this.#streaming -= offset
      if (!this.#streamingSkip) this.#hand(buffer, 0, offset)
    }
    this.#scan(buffer, offset)
  }

  #hand(buffer: Buffer, start: number, end: number): void {
    if (end > start) this.#queue.owner?.onServerBytes(this.#server, buffer, start, end)
  }

  /** `run` is where the bytes start that were looked at but not yet handed over. */
  #scan(buffer: Buffer, from: number): void {
    const size = buffer.length
    let offset = from
    let run = from
    while (offset < size && !this.#server.closed) {
      if (size - offset < 5) break
      const type = buffer[offset] ?? 0
      const length = buffer.readUInt32BE(offset + 1)
      const end = offset + 1 + length
      const kind = this.#queue.kind
      const skip = kind >= 0 && (kind & SKIP) !== 0
      if (length < 4 || length > code.MAX_FRAME_BYTES) return this.#desync(type)
      if (type === code.DATA_ROW || type === code.COPY_DATA) {
        const base = kind & KIND_MASK
        if (kind < 0 || (base !== KIND_QUERY && base !== KIND_EXECUTE)) return this.#desync(type)
        if (!skip) this.#queue.owner?.onFirstRow(this.#server)
        if (end > size) {
          this.#streaming = end - size
          this.#streamingSkip = skip
          if (skip) this.#hand(buffer, run, offset)
          else this.#hand(buffer, run, size)
          return
        }
        if (skip) {
          this.#hand(buffer, run, offset)
          run = end
        }
        offset = end
        continue
      }
      if (length > MAX_CONTROL_FRAME_BYTES) return this.#desync(type)
      if (end > size) break
      // What is handed over before a frame is looked into: `run` moves past frames that must not be forwarded.
      run = this.#frame(type, buffer, run, offset, end, kind, skip)
      if (run < 0) return
      offset = end
    }
    if (this.#server.closed) return
    this.#hand(buffer, run, offset)
    if (offset < size) this.#tail = Buffer.from(buffer.subarray(offset))
  }

  /** Handles one whole frame; returns the new start of the run, or -1 when the connection ended. */
  #frame(type: number, buffer: Buffer, run: number, offset: number, end: number, kind: number, skip: boolean): number {
    const queue = this.#queue
    const base = kind & KIND_MASK
    if (!isWellFormed(type, buffer, offset, end)) return this.#broken(type)
    switch (type) {
      case code.NOTIFICATION: {
        // Whoever holds the server listens on it, whatever else is under way there.
        this.#hand(buffer, run, offset)
        this.#server.owner?.onServerBytes(this.#server, buffer, offset, end)
        return end
      }
      case code.NOTICE: {
        if (kind >= 0 && !skip) {
          queue.owner?.onNotice(this.#server, buffer, offset, end)
          return run
        }
        this.#hand(buffer, run, offset)
        if (kind < 0 && this.#server.owner !== null) this.#server.owner.onServerBytes(this.#server, buffer, offset, end)
        return end
      }
      case code.PARAMETER_STATUS:
        return this.#parameterStatus(buffer, run, offset, end, kind, skip)
      case code.ERROR_RESPONSE:
        return this.#error(buffer, run, offset, end, kind, skip)
      case code.READY: {
        if (base !== KIND_QUERY && base !== KIND_SYNC && base !== KIND_FUNCTION) return this.#broken(type)
        return this.#ready(buffer, run, offset, end, skip)
      }
      case code.COMMAND_COMPLETE:
      case code.EMPTY_QUERY:
      case code.PORTAL_SUSPENDED: {
        if (base !== KIND_EXECUTE && base !== KIND_QUERY) return this.#broken(type)
        const forward =
          skip || type !== code.COMMAND_COMPLETE || queue.owner?.onCommandComplete(this.#server, buffer, offset, end)
        if (base === KIND_EXECUTE) return this.#complete(buffer, run, offset, end, skip || !forward)
        if (forward) return run
        this.#hand(buffer, run, offset)
        return end
      }
      case code.PARSE_COMPLETE:
        return base === KIND_PARSE ? this.#complete(buffer, run, offset, end, skip) : this.#broken(type)
      case code.BIND_COMPLETE:
        return base === KIND_BIND ? this.#complete(buffer, run, offset, end, skip) : this.#broken(type)
      case code.CLOSE_COMPLETE:
        return base === KIND_CLOSE ? this.#complete(buffer, run, offset, end, skip) : this.#broken(type)
      case code.PARAMETER_DESCRIPTION: {
        if (base !== KIND_DESCRIBE) return this.#broken(type)
        this.#server.patch?.parameterDescription(buffer, offset)
        if (!skip) queue.owner?.onParameterDescription(this.#server, buffer, offset, queue.data)
        return run
      }
      case code.ROW_DESCRIPTION:
      case code.NO_DATA: {
        if (type === code.ROW_DESCRIPTION) {
          this.#server.patch?.rowDescription(buffer, offset, end)
          if (base === KIND_DESCRIBE && !skip) {
            queue.owner?.onRowDescription(this.#server, buffer, offset, end, queue.data)
          }
        }
        if (base === KIND_DESCRIBE) return this.#complete(buffer, run, offset, end, skip)
        return base === KIND_QUERY ? run : this.#broken(type)
      }
      case code.COPY_IN_RESPONSE: {
        if (base !== KIND_EXECUTE && base !== KIND_QUERY) return this.#broken(type)
        this.#dropSyncsSentDuringCopy(base)
        queue.owner?.onCopyIn(this.#server)
        return run
      }
      case code.COPY_OUT_RESPONSE:
        return base === KIND_EXECUTE || base === KIND_QUERY ? run : this.#broken(type)
      case code.COPY_DONE:
        return base === KIND_EXECUTE || base === KIND_QUERY ? run : this.#broken(type)
      case code.FUNCTION_RESPONSE:
        return base === KIND_FUNCTION ? run : this.#broken(type)
      default:
        return this.#broken(type)
    }
  }

  #broken(type: number): number {
    this.#desync(type)
    return -1
  }

  /** The oldest entry is answered by the frame at `offset`. */
  #complete(buffer: Buffer, run: number, offset: number, end: number, skip: boolean): number {
    let from = run
    if (skip) {
      this.#hand(buffer, run, offset)
      from = end
    } else if (this.#queue.size === 1) {
      // Asked for by Flush, with no Sync behind it: with the entry its owner would be forgotten.
      this.#hand(buffer, run, end)
      from = end
    }
    this.#queue.shift()
    return this.#locals(buffer, from, end)
  }

  /** Hands over local frames that are due now; `end` is the end of what was looked at. */
  #locals(buffer: Buffer, run: number, end: number): number {
    const queue = this.#queue
    if ((queue.kind & KIND_MASK) !== KIND_LOCAL || queue.kind < 0) return run
    this.#hand(buffer, run, end)
    while (queue.kind >= 0 && (queue.kind & KIND_MASK) === KIND_LOCAL) {
      const { frame } = queue.data as LocalAnswer
      queue.owner?.onServerBytes(this.#server, frame, 0, frame.length)
      queue.shift()
    }
    return end
  }

  #ready(buffer: Buffer, run: number, offset: number, end: number, skip: boolean): number {
    const owner = this.#queue.owner
    const status = buffer[offset + 5] ?? 0
    this.#server.status = status
    const forward = !skip && owner !== null && owner.beforeReady(this.#server, status)
    this.#hand(buffer, run, forward ? end : offset)
    if (this.#server.closed) return -1
    this.#queue.shift()
    const next = this.#locals(buffer, end, end)
    owner?.onReady(this.#server, status)
    return this.#server.closed ? -1 : next
  }

  #error(buffer: Buffer, run: number, offset: number, end: number, kind: number, skip: boolean): number {
    const fields = errorFields(buffer, offset, end)
    if (kind < 0 || fields.severity === 'FATAL' || fields.severity === 'PANIC') {
      // The socket's end follows. What it means for the client depends on what was outstanding: onServerLost.
      this.fatal = new ShardwayError('server_lost', fields.sqlstate, fields.message)
      this.#hand(buffer, run, offset)
      return end
    }
    const owner = this.#queue.owner
    // Bytes before the error go first, so that an owner who answers it differently does so in order.
    this.#hand(buffer, run, offset)
    const forward =
      owner !== null && owner.onServerError(this.#server, buffer, offset, end, skip, this.#queue.data) && !skip
    if (this.#server.closed) return -1
    const base = kind & KIND_MASK
    // Before the queue is emptied: without a Sync behind it nobody would be left to hand it to.
    if (forward) this.#hand(buffer, offset, end)
    if (base !== KIND_QUERY && base !== KIND_SYNC && base !== KIND_FUNCTION) this.#discardToSync(skip)
    return this.#locals(buffer, end, end)
  }

  /**
   * After an error the server skips everything up to the next Sync, a simple query too. Behind a message of the proxy's own
   * its owner sends that Sync, and the query's entry stands for it.
   */
  #discardToSync(skipped: boolean): void {
    const queue = this.#queue
    while (queue.size > 0) {
      const base = queue.kind & KIND_MASK
      if (base === KIND_SYNC || (skipped && base === KIND_QUERY)) return
      const { owner, kind, data } = queue
      queue.shift()
      owner?.onRequestDropped(this.#server, kind, data)
    }
  }

  /** In COPY IN the server ignores the Syncs that were already on their way behind the Execute. */
  #dropSyncsSentDuringCopy(base: number): void {
    if (base !== KIND_EXECUTE) return
    this.#queue.keepFirst()
    this.#server.owesSync()
  }

  #parameterStatus(buffer: Buffer, run: number, offset: number, end: number, kind: number, skip: boolean): number {
    const middle = buffer.indexOf(0, offset + 5)
    const name = buffer.toString('utf8', offset + 5, middle)
    const value = buffer.toString('utf8', middle + 1, end - 1)
    this.#server.identity.parameters.set(name, value)
    if (kind >= 0 && !skip) {
      this.#queue.owner?.onParameterStatus(this.#server, name, value)
      return run
    }
    this.#hand(buffer, run, offset)
    return end
  }
}
