/**
 * The client's messages → units for the executor, one at a time: what comes while a unit waits for its answer is kept,
 * within a bound, and the socket paused past it.
 */
import type { Socket } from 'node:net'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Executor } from '../execute/executor.ts'
import type { Step, Unit } from '../execute/unit.ts'
import type { DatabaseStats } from '../observe/database-stats.ts'
import * as code from '../protocol/codes.ts'
import { type FrameHandler, FrameReader } from '../protocol/frame-reader.ts'
import type { Steps } from './steps.ts'

const MAX_INBOX_BYTES = 256 * 1024
/** Extended messages kept for one unit before what is there is sent on. */
const MAX_BATCH_BYTES = 1024 * 1024

export interface ClientInputOptions {
  readonly socket: Socket
  readonly steps: Steps
  readonly executor: Executor
  readonly stats: DatabaseStats
  /** [scatter] max_routed_statement. */
  readonly maxFrameBytes: number
  /** Ends the connection. */
  readonly failed: (error: unknown) => void
}

interface Frame {
  readonly type: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

export class ClientInput implements FrameHandler {
  readonly #options: ClientInputOptions
  readonly #reader: FrameReader
  #inbox: Frame[] = []
  #inboxBytes = 0
  #batch: Step[] = []
  #batchBytes = 0
  #batchError: ShardwayError | null = null
  /** A unit is with the executor and must be answered before the next message is looked at. */
  #blocked = false
  #copying = false
  #draining = false
  #closed = false
  /** When the last unit was handed on, milliseconds since the epoch. */
  requestAtMs = 0

  constructor(options: ClientInputOptions) {
    this.#options = options
    this.#reader = new FrameReader(this, options.maxFrameBytes)
  }

  push(chunk: Buffer): void {
    this.#options.stats.bytesReceived += chunk.length
    try {
      this.#reader.push(chunk)
    } catch (error) {
      this.#options.failed(error)
    }
  }

  close(): void {
    this.#closed = true
    this.#inbox = []
    this.#batch = []
  }

  onFrame(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#closed) return
    if (this.#blocked && !(this.#copying && this.#inbox.length === 0)) {
      this.#inbox.push({ type, buffer, start, end })
      this.#inboxBytes += end - start
      if (this.#inboxBytes > MAX_INBOX_BYTES) this.#options.socket.pause()
      return
    }
    this.#message(type, buffer, start, end)
  }

  onOversizedFrame(_type: number, length: number): void {
    const limit = this.#options.maxFrameBytes
    const error = new ShardwayError('statement_too_large', '54000', `message of ${length} bytes is too large`, {
      detail: `[scatter] max_routed_statement is ${limit} bytes.`,
      hint: 'Raise max_routed_statement, or send the data in smaller statements or by COPY.',
    })
    // Streaming what is larger needs the shard before the message is whole; until then the connection ends here.
    this.#options.failed(error)
  }

  #message(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#copying && !isCopy(type) && type !== code.TERMINATE) {
      // In COPY IN a server ignores these; the Sync that counts follows CopyDone or CopyFail.
      if (type === code.FLUSH || type === code.SYNC) return
      throw new ShardwayError('protocol_violation', '08P01', `unexpected message type ${type} during COPY from stdin`)
    }
    switch (type) {
      case code.QUERY:
        return this.#query(buffer, start, end)
      case code.PARSE:
        this.#options.stats.clientParses++
        return this.#extended(type, buffer, start, end)
      case code.BIND:
        this.#options.stats.binds++
        return this.#extended(type, buffer, start, end)
      case code.DESCRIBE:
      case code.EXECUTE:
      case code.CLOSE:
        return this.#extended(type, buffer, start, end)
      case code.FLUSH:
      case code.SYNC:
        return this.#endBatch(type, buffer, start, end)
      case code.COPY_DATA:
      case code.COPY_DONE:
      case code.COPY_FAIL:
        return this.#copy(type, buffer, start, end)
      case code.FUNCTION_CALL:
        return this.#functionCall(buffer, start, end)
      case code.TERMINATE:
        this.#options.socket.destroySoon()
        return
      default:
        throw new ShardwayError('protocol_violation', '08P01', `invalid frontend message type ${type}`)
    }
  }

  #query(buffer: Buffer, start: number, end: number): void {
    if (this.#batch.length > 0 || this.#batchError !== null) {
      throw new ShardwayError('protocol_violation', '08P01', 'simple query inside an extended batch', {
        hint: 'Send Sync first.',
      })
    }
    this.#run(() => [this.#options.steps.query(buffer, start, end)], true)
    this.#options.steps.queryRan()
  }

  #functionCall(buffer: Buffer, start: number, end: number): void {
    this.#run(() => [this.#options.steps.functionCall(buffer, start, end)], true)
  }

  #run(make: () => readonly Step[], simple: boolean): void {
    let steps: readonly Step[] = []
    let error: ShardwayError | null = null
    try {
      steps = make()
    } catch (caught) {
      if (!(caught instanceof ShardwayError) || caught.sqlstate === '08P01') throw caught
      error = caught
    }
    this.#hand({ steps, complete: true, simple, error })
  }

  #hand(unit: Unit): void {
    this.#blocked = true
    this.requestAtMs = Date.now()
    if (unit.error !== null) this.#options.stats.refusals += unit.error.sqlstate === '0A000' ? 1 : 0
    this.#options.executor.run(unit)
  }

  #extended(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#batchError !== null) return // dropped up to Sync, as a server would
    if (this.#options.executor.running?.failed) return
    try {
      const step = this.#options.steps.message(type, buffer, start, end)
      if (type === code.PARSE) this.#options.steps.refuseAfterRenaming(this.#batch)
      this.#batch.push(step)
    } catch (error) {
      if (!(error instanceof ShardwayError) || error.sqlstate === '08P01') throw error
      this.#batchError = error
    }
    this.#batchBytes += end - start
    if (this.#batchBytes > MAX_BATCH_BYTES) this.#handBatch(false)
  }

  #endBatch(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#batchError === null) this.#batch.push(this.#options.steps.message(type, buffer, start, end))
    this.#handBatch(type === code.SYNC)
  }

  #handBatch(complete: boolean): void {
    const unit: Unit = { steps: this.#batch, complete, simple: false, error: this.#batchError }
    this.#batch = []
    this.#batchBytes = 0
    this.#batchError = null
    this.#hand(unit)
  }

  #copy(type: number, buffer: Buffer, start: number, end: number): void {
    if (!this.#copying) return // late data of a COPY that failed: servers ignore it too
    const server = this.#options.executor.running?.server
    if (server === null || server === undefined) return
    server.send(buffer.subarray(start, end))
    if (type !== code.COPY_DATA) this.#copying = false
    if (server.needsDrain) this.#options.socket.pause()
  }

  /** Looks at kept messages until one must wait again. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    try {
      let next = this.#inbox[0]
      while (next !== undefined && !this.#closed && (!this.#blocked || this.#copying)) {
        this.#inbox.shift()
        this.#inboxBytes -= next.end - next.start
        this.#message(next.type, next.buffer, next.start, next.end)
        next = this.#inbox[0]
      }
    } catch (error) {
      this.#options.failed(error)
    } finally {
      this.#draining = false
    }
    if (this.#inboxBytes <= MAX_INBOX_BYTES && this.#options.socket.isPaused() && !this.#closed)
      this.#options.socket.resume()
  }

  /** The part of the unit that was handed on is on its way; more of it may come. */
  partDone(): void {
    this.#blocked = false
    if (this.#inbox.length > 0) this.#drain()
    else if (this.#options.socket.isPaused() && !this.#closed) this.#options.socket.resume()
  }

  unitDone(): void {
    this.#copying = false
    this.partDone()
  }

  copyIn(): void {
    this.#copying = true
    // An extended COPY goes on in the same unit: its Sync is still to come.
    if (this.#options.executor.running?.complete === false) this.#blocked = false
    if (this.#inbox.length > 0) this.#drain()
  }

  copyEnded(): void {
    this.#copying = false
  }

  /** A server that was too slow for the client's data takes more. */
  serverDrained(): void {
    if (this.#inboxBytes <= MAX_INBOX_BYTES && !this.#closed) this.#options.socket.resume()
  }
}

/** What a client may send while a server waits for COPY data. */
function isCopy(type: number): boolean {
  return (
    type === code.COPY_DATA ||
    type === code.COPY_DONE ||
    type === code.COPY_FAIL ||
    type === code.FLUSH ||
    type === code.SYNC
  )
}
