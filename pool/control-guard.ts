/**
 * Looks at what a server says on a control connection before pg's parser does. That one takes lengths and fields as they
 * come: an error without its end keeps it in a loop for ever, and with it the process; a length of gigabytes is waited for.
 * And it takes a server's word that all is well in the middle of a SCRAM exchange, from who has proved nothing.
 */
import * as code from '../src/protocol/codes.ts'

const HEADER_BYTES = 5
/** More than any row of a catalog holds. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024
const MAX_WHOLE_BYTES = 1024 * 1024
/** Kinds of Authentication messages. */
const SASL = 10
const SASL_CONTINUE = 11
const SASL_FINAL = 12
const NONE: Buffer = Buffer.alloc(0)

export class ControlGuard {
  /** A header that is not all there, or a frame that is looked into, up to where it has come. */
  #kept: Buffer = NONE
  /** Bytes to come of a frame that is not looked into. */
  #skip = 0
  /** A SCRAM exchange has begun, and the server has not yet shown its signature, which pg verifies. */
  #unproved = false

  /** Throws on what no server says; then none of the chunk may be parsed. */
  check(chunk: Buffer): void {
    let buffer = chunk
    let offset = 0
    if (this.#skip > 0) {
      offset = Math.min(this.#skip, buffer.length)
      this.#skip -= offset
    } else if (this.#kept.length > 0) {
      buffer = Buffer.concat([this.#kept, chunk])
      this.#kept = NONE
    }
    while (buffer.length - offset >= HEADER_BYTES) {
      const type = buffer[offset] ?? 0
      const end = offset + 1 + buffer.readUInt32BE(offset + 1)
      const hasFields = type === code.ERROR_RESPONSE || type === code.NOTICE
      const whole = hasFields || type === code.AUTHENTICATION
      const limit = whole ? MAX_WHOLE_BYTES : MAX_FRAME_BYTES
      if (end < offset + HEADER_BYTES || end - offset > limit) throw new Error('the server sent a length that is none')
      if (whole && end > buffer.length) break
      if (hasFields && !fieldsEnd(buffer, offset + HEADER_BYTES, end)) {
        throw new Error('the server sent an error without its end')
      }
      if (type === code.AUTHENTICATION) this.#authentication(buffer, offset + HEADER_BYTES, end)
      if (type === code.READY && this.#unproved) throw new Error('the server let us in without a proof')
      if (end > buffer.length) {
        this.#skip = end - buffer.length
        return
      }
      offset = end
    }
    if (offset < buffer.length) this.#kept = Buffer.from(buffer.subarray(offset))
  }

  #authentication(buffer: Buffer, start: number, end: number): void {
    if (end - start < 4) throw new Error('the server sent a length that is none')
    const request = buffer.readInt32BE(start)
    if (request === SASL || request === SASL_CONTINUE) this.#unproved = true
    else if (request === SASL_FINAL) this.#unproved = false
    else if (this.#unproved) throw new Error('the server broke off the SCRAM exchange')
  }
}

/** Fields of a type and a text each, and a zero behind the last one, which is the frame's end. */
function fieldsEnd(buffer: Buffer, start: number, end: number): boolean {
  let offset = start
  while (offset < end && buffer[offset] !== 0) {
    const textEnd = buffer.indexOf(0, offset + 1)
    if (textEnd < 0 || textEnd >= end) return false
    offset = textEnd + 1
  }
  return offset === end - 1
}
