/**
 * A Bind message's fields where they lie, without copying: the router reads key values through it, the session forwards
 * the bytes. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
import { ShardwayError } from '../errors/shardway-error.ts'

const NONE = Buffer.alloc(0)

export class BindView {
  /** The buffer last parsed; offsets below mean positions in it. Valid until the caller reuses the buffer. */
  buffer: Buffer = NONE
  portalStart = 0
  portalEnd = 0
  statementStart = 0
  statementEnd = 0
  /** Position just past the statement name: from here on a Bind for another statement name has the same bytes. */
  formatsStart = 0
  formatCount = 0
  /** Parameters. */
  count = 0
  resultFormatsStart = 0
  resultFormatCount = 0
  #formats = 0
  /** Position just past the last parameter. */
  #behind = 0
  #offsets = new Int32Array(16)
  #lengths = new Int32Array(16)

  /** `offset` and `end` bound the message's body (after type and length). Throws 08P01 when it is malformed. Returns `count`. */
  parse(buffer: Buffer, offset: number, end: number): number {
    const parsed = this.#parameters(buffer, offset, end)
    if (parsed < this.count) throw malformed('insufficient data left in message')
    let at = this.#behind
    const resultFormatCount = uint16(buffer, at, end)
    at += 2
    this.resultFormatsStart = at
    this.resultFormatCount = resultFormatCount
    if (at + resultFormatCount * 2 !== end) throw malformed('invalid message format')
    return parsed
  }

  /**
   * The same for the first bytes of a message whose rest has not come. Returns how many parameters lie in them as a whole:
   * the others must not be asked for. Result formats are not known.
   */
  parseHead(buffer: Buffer, offset: number, end: number): number {
    this.resultFormatCount = 0
    return this.#parameters(buffer, offset, end)
  }

  /** Returns the number of parameters that lie before `end`, which is less than `count` when it is cut there. */
  #parameters(buffer: Buffer, offset: number, end: number): number {
    this.buffer = buffer
    this.portalStart = offset
    this.portalEnd = zeroFrom(buffer, offset, end)
    this.statementStart = this.portalEnd + 1
    this.statementEnd = zeroFrom(buffer, this.statementStart, end)
    let at = this.statementEnd + 1
    this.formatsStart = at
    const formatCount = uint16(buffer, at, end)
    at += 2
    this.#formats = at
    this.formatCount = formatCount
    at += formatCount * 2
    const count = uint16(buffer, at, end)
    at += 2
    if (formatCount > 1 && formatCount !== count) {
      throw malformed(`bind message has ${formatCount} parameter formats but ${count} parameters`)
    }
    if (count > this.#offsets.length) {
      this.#offsets = new Int32Array(Math.max(count, this.#offsets.length * 2))
      this.#lengths = new Int32Array(this.#offsets.length)
    }
    this.count = count
    for (let i = 0; i < count; i++) {
      if (end - at < 4) return i
      const length = buffer.readInt32BE(at)
      at += 4
      if (length < -1) throw malformed('insufficient data left in message')
      if (length > end - at) return i
      this.#offsets[i] = at
      this.#lengths[i] = length
      if (length > 0) at += length
    }
    this.#behind = at
    return count
  }

  portal(): string {
    return this.buffer.toString('utf8', this.portalStart, this.portalEnd)
  }

  statement(): string {
    return this.buffer.toString('utf8', this.statementStart, this.statementEnd)
  }

  /** Format code of parameter `index` (from 0): 0 text, 1 binary. */
  format(index: number): number {
    if (this.formatCount === 0) return 0
    return this.buffer.readUInt16BE(this.#formats + (this.formatCount === 1 ? 0 : index * 2))
  }

  /** Where the value of parameter `index` begins in `buffer`. */
  offset(index: number): number {
    return this.#offsets[index] ?? 0
  }

  /** Bytes of the value, -1 for NULL. */
  length(index: number): number {
    return this.#lengths[index] ?? -1
  }

  /** Format code of result column `index`. */
  resultFormat(index: number): number {
    if (this.resultFormatCount === 0) return 0
    if (this.resultFormatCount === 1) return this.buffer.readUInt16BE(this.resultFormatsStart)
    return index < this.resultFormatCount ? this.buffer.readUInt16BE(this.resultFormatsStart + index * 2) : 0
  }
}

function zeroFrom(buffer: Buffer, offset: number, end: number): number {
  for (let at = offset; at < end; at++) if (buffer[at] === 0) return at
  throw malformed('invalid string in message')
}

function uint16(buffer: Buffer, at: number, end: number): number {
  if (end - at < 2) throw malformed('insufficient data left in message')
  return buffer.readUInt16BE(at)
}

function malformed(message: string): ShardwayError {
  return new ShardwayError('protocol_violation', '08P01', message)
}
