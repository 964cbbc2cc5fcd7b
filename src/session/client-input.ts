/**
 * The client's messages → units for the executor, one at a time: what comes while a unit waits for its answer is kept,
 * within a bound, and the socket paused past it.
 */
import type { ServerConnection } from '../../pool/server-connection.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { OP_SYNC, type Step, type Unit } from '../execute/unit.ts'
import * as code from '../protocol/codes.ts'
import { type FrameHandler, FrameReader } from '../protocol/frame-reader.ts'
import { Batch } from './batch.ts'
import { type Frame, Inbox, isCopy } from './inbox.ts'
import type { ClientInputOptions } from './input-options.ts'
import { tooLarge } from './large-messages.ts'

export class ClientInput implements FrameHandler {
  readonly #options: ClientInputOptions
  readonly #reader: FrameReader
  readonly #inbox = new Inbox()
  readonly #batch = new Batch()
  /** A unit is with the executor and must be answered before the next message is looked at. */
  #blocked = false
  #copying = false
  #draining = false
  /** Type of the message over the limit that is under way, 0 when none is. */
  #large = 0
  /** Where its bytes go; null: nowhere. */
  #largeServer: ServerConnection | null = null
  #closed = false
  /** When the last unit was handed on, milliseconds since the epoch. */
  requestAtMs = 0

  constructor(options: ClientInputOptions) {
    this.#options = options
    this.#reader = new FrameReader(this, options.maxFrameBytes)
  }

  /** A unit, or a part of one, is with the executor. */
  get busy(): boolean {
    return this.#blocked
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
    this.#inbox.clear()
    this.#batch.clear()
  }

  onFrame(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#closed) return
    if (this.#mustWait) this.#put({ type, buffer, start, end, moreBytes: 0 })
    else this.#message(type, buffer, start, end, 0)
  }

  get #mustWait(): boolean {
    return this.#blocked && !(this.#copying && this.#inbox.empty)
  }

  #put(frame: Frame): void {
    this.#inbox.put(frame)
    if (this.#inbox.full) this.#options.socket.pause()
  }

  // Messages over the limit: what is known of their heads decides where the rest goes.

  largeHeadBytes(type: number): number {
    return type === code.BIND ? this.#options.steps.largeBindHeadBytes(this.#options.maxFrameBytes) : 0
  }

  onLargeFrame(type: number, buffer: Buffer, start: number, end: number, moreBytes: number): void {
    if (this.#closed) return
    this.#reader.hold()
    this.#options.socket.pause()
    if (this.#mustWait) this.#put({ type, buffer, start, end, moreBytes })
    else this.#message(type, buffer, start, end, moreBytes)
  }

  onLargeBytes(buffer: Buffer, start: number, end: number, moreBytes: number): void {
    const server = this.#largeServer
    if (server !== null && !server.closed) {
      server.sendPart(buffer.subarray(start, end))
      if (server.needsDrain) this.#options.socket.pause()
    }
    if (moreBytes === 0 && !this.#closed) this.#largeDone()
  }

  /** The head is with its server, or the message was refused: the rest follows it. */
  #passOn(server: ServerConnection | null): void {
    this.#largeServer = server
    try {
      this.#reader.release()
    } catch (error) {
      this.#options.failed(error)
    }
    this.#resume()
  }

  #largeDone(): void {
    const type = this.#large
    const streamed = this.#largeServer !== null
    this.#large = 0
    this.#largeServer = null
    const { running, links } = this.#options.executor
    // A COPY that failed meanwhile left its server in the middle of this message.
    if (running === null) links.releaseIdle()
    if ((type !== code.QUERY && type !== code.FUNCTION_CALL) || running === null) return
    if (!streamed || running.server === null) {
      // Refused, or its server was lost: what is still due is ReadyForQuery.
      return this.#hand({ steps: [], complete: true, simple: true, error: null })
    }
    // Behind an error in an unfinished batch the server has skipped it.
    if (running.failed && running.server.outstanding === 0) return
    running.complete = true
    this.#blocked = true
  }

  #message(type: number, buffer: Buffer, start: number, end: number, moreBytes: number): void {
    this.#large = moreBytes > 0 ? type : 0
    if (this.#copying && !isCopy(type) && type !== code.TERMINATE) {
      // In COPY IN a server ignores these; the Sync that counts follows CopyDone or CopyFail.
      if (type === code.FLUSH || type === code.SYNC) return
      throw new ShardwayError('protocol_violation', '08P01', `unexpected message type ${type} during COPY from stdin`)
    }
    switch (type) {
      case code.QUERY:
        return this.#query(buffer, start, end, moreBytes)
      case code.PARSE:
        this.#options.stats.clientParses++
        return this.#extended(type, buffer, start, end, moreBytes)
      case code.BIND:
        this.#options.stats.binds++
        return this.#extended(type, buffer, start, end, moreBytes)
      case code.DESCRIBE:
      case code.EXECUTE:
      case code.CLOSE:
        return this.#extended(type, buffer, start, end, moreBytes)
      case code.FLUSH:
      case code.SYNC:
        return this.#endBatch(type, buffer, start, end)
      case code.COPY_DATA:
      case code.COPY_DONE:
      case code.COPY_FAIL:
        return this.#copy(type, buffer, start, end, moreBytes)
      case code.FUNCTION_CALL:
        if (this.#dropping) return this.#drop(moreBytes)
        return this.#run(() => [this.#options.steps.functionCall(buffer, start, end, moreBytes)], moreBytes === 0)
      case code.TERMINATE:
        this.#options.socket.destroySoon()
        return
      default:
        throw new ShardwayError('protocol_violation', '08P01', `invalid frontend message type ${type}`)
    }
  }

  #query(buffer: Buffer, start: number, end: number, moreBytes: number): void {
    if (this.#dropping) return this.#drop(moreBytes)
    if (!this.#batch.empty) {
      throw new ShardwayError('protocol_violation', '08P01', 'simple query inside an extended batch', {
        hint: 'Send Sync first.',
      })
    }
    this.#run(() => this.#options.steps.query(buffer, start, end, moreBytes), moreBytes === 0)
    this.#options.steps.queryRan()
  }

  #run(make: () => readonly Step[], complete: boolean): void {
    let steps: readonly Step[] = []
    let error: ShardwayError | null = null
    try {
      steps = make()
    } catch (caught) {
      if (!(caught instanceof ShardwayError) || caught.sqlstate === '08P01') throw caught
      error = caught
    }
    // What the session makes of a text by itself has its own Sync.
    this.#hand({ steps, complete, simple: steps.at(-1)?.op !== OP_SYNC, error })
  }

  #hand(unit: Unit): void {
    this.#blocked = true
    this.requestAtMs = Date.now()
    if (unit.error !== null) this.#options.stats.refusals += unit.error.sqlstate === '0A000' ? 1 : 0
    this.#options.executor.run(unit)
  }

  /** After an error everything is dropped up to Sync, as a server would. */
  get #dropping(): boolean {
    return this.#batch.error !== null || this.#options.executor.running?.failed === true
  }

  #drop(moreBytes: number): void {
    this.#large = 0
    if (moreBytes > 0) this.#passOn(null)
  }

  #extended(type: number, buffer: Buffer, start: number, end: number, moreBytes: number): void {
    if (!this.#dropping) this.#step(type, buffer, start, end, moreBytes)
    if (this.#dropping) return this.#drop(moreBytes)
    if (moreBytes > 0 || this.#batch.full) this.#handBatch(false)
  }

  #step(type: number, buffer: Buffer, start: number, end: number, moreBytes: number): void {
    try {
      if (moreBytes > 0 && type !== code.BIND) throw tooLarge(end - start + moreBytes)
      const step = this.#options.steps.message(type, buffer, start, end, moreBytes)
      this.#batch.add(step)
    } catch (error) {
      if (!(error instanceof ShardwayError) || error.sqlstate === '08P01') throw error
      this.#batch.error = error
    }
  }

  #endBatch(type: number, buffer: Buffer, start: number, end: number): void {
    if (this.#batch.error === null) this.#batch.add(this.#options.steps.message(type, buffer, start, end))
    this.#handBatch(type === code.SYNC)
  }

  #handBatch(complete: boolean): void {
    this.#hand(this.#batch.take(complete))
  }

  #copy(type: number, buffer: Buffer, start: number, end: number, moreBytes: number): void {
    const server = this.#copying ? (this.#options.executor.running?.server ?? null) : null
    if (server !== null) {
      server.send(buffer.subarray(start, end))
      if (moreBytes > 0) server.startPartial(moreBytes)
      if (type !== code.COPY_DATA) this.#copying = false
      if (server.needsDrain) this.#options.socket.pause()
    }
    // Late data of a COPY that failed goes nowhere: servers ignore it too.
    if (moreBytes > 0) this.#passOn(server)
  }

  /** Looks at kept messages until one must wait again. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    try {
      while (!this.#closed && (!this.#blocked || this.#copying)) {
        const next = this.#inbox.take()
        if (next === undefined) break
        this.#message(next.type, next.buffer, next.start, next.end, next.moreBytes)
      }
    } catch (error) {
      this.#options.failed(error)
    } finally {
      this.#draining = false
    }
    this.#resume()
  }

  #resume(): void {
    if (this.#inbox.full || this.#closed || this.#reader.held) return
    if (this.#options.socket.isPaused()) this.#options.socket.resume()
  }

  /** The part of the unit that was handed on is on its way; more of it may come. */
  partDone(): void {
    this.#blocked = false
    // The rest of a row goes on to its server, even when the COPY has failed meanwhile.
    if (this.#large !== 0 && this.#large !== code.COPY_DATA) {
      const server = this.#options.executor.running?.server ?? null
      this.#passOn(server !== null && server.partial > 0 ? server : null)
    }
    if (!this.#inbox.empty) this.#drain()
    else this.#resume()
  }

  unitDone(): void {
    this.#copying = false
    this.partDone()
  }

  copyIn(): void {
    this.#copying = true
    // An extended COPY goes on in the same unit: its Sync is still to come.
    if (this.#options.executor.running?.complete === false) this.#blocked = false
    if (!this.#inbox.empty) this.#drain()
  }

  copyEnded(): void {
    this.#copying = false
  }

  /** A server that was too slow for the client's data takes more. */
  serverDrained(): void {
    this.#resume()
  }
}
