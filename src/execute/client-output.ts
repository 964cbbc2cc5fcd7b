/**
 * What goes to the client, in order. While a reason to hold exists (a replica's first row, siblings' acknowledgement of
 * marks, a renewed catalog) bytes are kept; they leave together when the last reason is gone.
 */
import type { Socket } from 'node:net'

export const HOLD_REPLICA = 1
export const HOLD_MARKS = 2
export const HOLD_CATALOG = 4
/** A statement prepared by the proxy: until its first row an error means that it runs once more as the client sent it. */
export const HOLD_PREPARED = 8

/** Held bytes past which the server that writes them is paused. */
const MAX_HELD_BYTES = 1024 * 1024

export class ClientOutput {
  #reasons = 0
  /** The client must speak before the answer can go on: what is held for the catalog's sake alone leaves all the same. */
  #copyIn = false
  #whenQuiet: (() => void) | null = null
  /** Held bytes went out: a server that was paused for them may go on. */
  onReleased: () => void = () => undefined
  #held: Buffer[] = []
  #heldBytes = 0
  bytes = 0
  socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  get holding(): number {
    return this.#reasons
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** False when the socket's buffer is full: the writer on the other side must pause until 'drain'. */
  write(buffer: Buffer, start: number, end: number): boolean {
    const part = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
    this.bytes += part.length
    if (this.#reasons === 0 && this.#heldBytes === 0) return this.socket.write(part)
    this.#held.push(part)
    this.#heldBytes += part.length
    if (this.#reasons !== 0) {
      if (this.#heldBytes < MAX_HELD_BYTES && !this.#passes) return true
      // Only the server's own answer could end the other reasons, and it would be paused: from here on nothing is run again,
      // and of DDL's answer the end is held.
      if ((this.#reasons & HOLD_MARKS) !== 0) return false
      this.#reasons &= HOLD_CATALOG
    }
    this.#flush()
    return !this.socket.writableNeedDrain
  }

  /** A frame that goes out together with what is written next; something must be. */
  lead(frame: Buffer): void {
    this.bytes += frame.length
    this.#held.push(frame)
    this.#heldBytes += frame.length
  }

  frame(frame: Buffer): boolean {
    return this.write(frame, 0, frame.length)
  }

  hold(reason: number): void {
    this.#reasons |= reason
  }

  release(reason: number): void {
    if ((this.#reasons & reason) === 0) return
    this.#reasons &= ~reason
    if (this.#reasons === 0) {
      this.#flush()
      this.#quiet()
    } else if (this.#passes || (this.#reasons === HOLD_CATALOG && this.#heldBytes >= MAX_HELD_BYTES)) this.#flush()
  }

  /** A server waits for the client's COPY data, or no longer. */
  copyIn(waits: boolean): void {
    this.#copyIn = waits
    if (this.#passes) this.#flush()
  }

  get #passes(): boolean {
    return this.#copyIn && this.#reasons === HOLD_CATALOG
  }

  /** As `release`, where more is about to be written: one packet instead of two. */
  releaseWithNext(reason: number): void {
    this.#reasons &= ~reason
  }

  #flush(): void {
    if (this.#heldBytes === 0) return
    const held = this.#held
    const bytes = this.#heldBytes
    this.#held = []
    this.#heldBytes = 0
    this.socket.write(held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held, bytes))
    // Who filled the socket again is paused by what write() returns.
    if (bytes >= MAX_HELD_BYTES && !this.socket.writableNeedDrain) this.onReleased()
  }

  /**
   * Calls once when nothing is held and the client's socket takes more: the next unit must not begin before, since reasons
   * and bytes of two units cannot be told apart, and a slow client must slow its server down.
   */
  whenQuiet(callback: () => void): void {
    this.#whenQuiet = callback
    this.#quiet()
  }

  /** The socket takes more again. */
  drained(): void {
    this.#quiet()
  }

  #quiet(): void {
    if (this.#whenQuiet === null || this.#reasons !== 0) return
    this.#flush()
    if (this.socket.writableNeedDrain) return
    const callback = this.#whenQuiet
    this.#whenQuiet = null
    callback()
  }

  /** Forgets what was held for this reason alone: the statement is run again elsewhere. */
  discard(reason: number): void {
    if ((this.#reasons & reason) === 0) return
    this.#held = []
    this.#heldBytes = 0
    this.#reasons &= ~reason
  }
}
