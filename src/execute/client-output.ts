/**
 * What goes to the client, in order. While a reason to hold exists (a replica's first row, siblings' acknowledgement of
 * marks, a renewed catalog) bytes are kept; they leave together when the last reason is gone.
 */
import type { Socket } from 'node:net'

export const HOLD_REPLICA = 1
export const HOLD_MARKS = 2
export const HOLD_CATALOG = 4

export class ClientOutput {
  #reasons = 0
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
    if (this.#reasons !== 0) {
      this.#held.push(part)
      this.#heldBytes += part.length
      return true
    }
    return this.socket.write(part)
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
    if (this.#reasons !== 0 || this.#heldBytes === 0) return
    const held = this.#held
    const bytes = this.#heldBytes
    this.#held = []
    this.#heldBytes = 0
    this.socket.write(held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held, bytes))
  }

  /** Forgets what was held for this reason alone: the statement is run again elsewhere. */
  discard(reason: number): void {
    this.#held = []
    this.#heldBytes = 0
    this.#reasons &= ~reason
  }
}
