/**
 * One pass over a statement's bytes: plain literals become one-byte placeholders, so that texts that differ only in
 * them share a template. Follows src/backend/parser/scan.l with standard_conforming_strings = on. Where stripping could
 * merge two texts that Postgres reads differently the text is `exactOnly`: being careful costs a parse, never a wrong plan.
 */
import {
  CLASS,
  CONTINUES,
  DASH,
  DIGIT,
  DOLLAR,
  DOT,
  DOUBLE_QUOTE,
  FOREIGN,
  QUOTE,
  SEMICOLON,
  SLASH,
  SPACE,
  WORD,
  backslashStringEnd,
  blockCommentEnd,
  dollarEnd,
  exceeds,
  exponentEnd,
  lineEnd,
  quotedEnd,
  startsWith,
} from './scan.ts'
import { INT4, INT8, type LiteralKind, Literals, NUMERIC, STRING } from './literals.ts'

/** What stands for a literal: this and its kind, no byte of UTF-8. */
export const PLACEHOLDER = 0xf8

const PREFIX = Buffer.from('shardway:')
/** Only these may share plans: every other kind of statement can depend on each of its literals. */
const TEMPLATED = ['select', 'insert', 'update', 'delete', 'with', 'values', 'merge'].map(word => Buffer.from(word))
const INT4_MAX = Buffer.from('2147483647')
const INT8_MAX = Buffer.from('9223372036854775807')

export class Lexer {
  readonly literals = new Literals()
  /** The text must be planned for itself: it has no template. */
  exactOnly = false
  /** From the first comment that holds hints to the last, as positions in the buffer; start -1 when there is none. */
  leadingHintStart = -1
  leadingHintEnd = -1
  trailingHintStart = -1
  trailingHintEnd = -1
  /** Comments left out of the template, each replaced by one space: offsets from the text's start. */
  gapCount = 0
  gapStarts = new Int32Array(8)
  gapEnds = new Int32Array(8)
  #template = Buffer.alloc(1024)
  #out = 0
  #bytes: Buffer = Buffer.alloc(0)
  #end = 0

  /** The template, or null when the text is exact-only. Positions are valid until the next call. */
  lex(bytes: Buffer, start: number, end: number): string | null {
    if (this.#template.length < end - start) this.#template = Buffer.alloc((end - start) * 2)
    const literals = this.literals
    literals.reset(bytes, start)
    this.#bytes = bytes
    this.#end = end
    this.leadingHintStart = -1
    this.trailingHintStart = -1
    this.gapCount = 0
    const template = this.#template
    let out = 0
    let exact = false
    /** Where the last string constant ended, as long as nothing but gaps has followed. */
    let stringEnd = -1
    let backslashes = false
    let firstToken = -1
    let lastToken = -1
    let semicolon = -1
    let at = start
    while (at < end) {
      const byte = bytes[at] as number
      const kind = CLASS[byte] as number
      if (kind === SPACE) {
        template[out++] = byte
        at++
        continue
      }
      if (kind >= DASH) {
        // A comment or a semicolon: no token.
        if (kind === SEMICOLON) {
          if (semicolon < 0) semicolon = at
          stringEnd = -1
          template[out++] = byte
          at++
          continue
        }
        const next = at + 1 < end ? (bytes[at + 1] as number) : 0
        if ((kind === DASH && next === 45) || (kind === SLASH && next === 42)) {
          const stop = kind === DASH ? lineEnd(bytes, at, end) : blockCommentEnd(bytes, at, end)
          if (stop < 0) exact = true
          this.#out = out
          at = this.#comment(at, stop < 0 ? end : stop, lastToken)
          out = this.#out
          continue
        }
      }
      if (firstToken < 0) firstToken = at
      lastToken = at
      if (kind === WORD) {
        const next = at + 1 < end ? (bytes[at + 1] as number) : 0
        if (next !== 39 && next !== 38) {
          stringEnd = -1
          template[out++] = byte
          at++
          let more = next
          while (at < end && CONTINUES[more] === 1) {
            template[out++] = more
            more = bytes[++at] as number
          }
          continue
        }
      }
      if (kind === DIGIT || (kind === DOT && at + 1 < end && CLASS[bytes[at + 1] as number] === DIGIT)) {
        const stop = this.#number(at)
        if (stop > 0) {
          stringEnd = -1
          template[out++] = PLACEHOLDER + (literals.kinds[literals.count - 1] as number)
          at = stop
          continue
        }
      }
      if (kind === QUOTE && stringEnd < 0) {
        const stop = this.#string(at)
        if (stop > 0) {
          backslashes = false
          stringEnd = stop
          template[out++] = PLACEHOLDER + STRING
          at = stop
          continue
        }
      }
      let stop = at + 1
      let string = false
      if (kind === WORD) {
        const lower = byte | 32
        const next = bytes[at + 1] as number
        const after = at + 2 < end ? (bytes[at + 2] as number) : 0
        if (next === 39 && (lower === 101 || lower === 98 || lower === 120)) {
          exact = string = true
          backslashes = lower === 101
          stop = backslashes ? backslashStringEnd(bytes, at + 2, end) : quotedEnd(bytes, at + 2, end, 39)
        } else if (next === 39 && lower === 110) {
          exact = true
        } else if (next === 38 && lower === 117 && (after === 39 || after === 34)) {
          exact = true
          string = after === 39
          backslashes = false
          stop = quotedEnd(bytes, at + 3, end, after)
        }
      } else if (kind === DIGIT || (kind === DOT && CLASS[bytes[at + 1] as number] === DIGIT)) {
        exact = true
        stop = Math.max(stop, -this.#number(at))
      } else if (kind === QUOTE) {
        // A string without end; or two in a row, which are one value, continued over a line break.
        exact = string = true
        stop = backslashes ? backslashStringEnd(bytes, at + 1, end) : quotedEnd(bytes, at + 1, end, 39)
      } else if (kind === DOUBLE_QUOTE) {
        stop = quotedEnd(bytes, at + 1, end, 34)
      } else if (kind === DOLLAR) {
        stop = dollarEnd(bytes, at, end)
        if (stop < 0 || CLASS[bytes[at + 1] as number] !== DIGIT) exact = true
      } else if (kind === FOREIGN) {
        exact = true
      }
      if (stop < 0) {
        exact = true
        stop = end
      }
      stringEnd = string ? stop : -1
      while (at < stop) template[out++] = bytes[at++] as number
    }
    if (this.trailingHintStart >= 0 && this.trailingHintStart < lastToken) this.trailingHintStart = -1
    if (semicolon >= 0 && lastToken > semicolon) exact = true
    this.exactOnly = exact || firstToken < 0 || !isTemplated(bytes, firstToken, end)
    return this.exactOnly ? null : template.toString('latin1', 0, out)
  }

  /** A plain string from its opening quote; adds the literal; returns the position past it, -1 when it has no end. */
  #string(at: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let doubled = 0
    let stop = at + 1
    for (; stop < end; stop++) {
      if (bytes[stop] !== 39) continue
      if (stop + 1 >= end || bytes[stop + 1] !== 39) break
      doubled = 1
      stop++
    }
    if (stop >= end) return -1
    this.literals.add(at, stop + 1, STRING, doubled)
    return stop + 1
  }

  /** A number; adds the literal. Negative: the position past what is not a plain decimal number. */
  #number(at: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let stop = at
    while (stop < end && CLASS[bytes[stop] as number] === DIGIT) stop++
    let kind: LiteralKind = INT4
    if (stop < end && bytes[stop] === 46) {
      if (bytes[stop + 1] === 46 && stop + 1 < end) return -stop
      kind = NUMERIC
      stop++
      while (stop < end && CLASS[bytes[stop] as number] === DIGIT) stop++
    }
    if (stop < end && CONTINUES[bytes[stop] as number] === 1) {
      const exponent = exponentEnd(bytes, stop, end)
      if (exponent > 0) {
        kind = NUMERIC
        stop = exponent
      }
      // 0x2A, 4_2, 1abc: a number on some versions, an error on others.
      if (stop < end && CONTINUES[bytes[stop] as number] === 1) {
        while (stop < end && CONTINUES[bytes[stop] as number] === 1) stop++
        return -stop
      }
    }
    if (kind === INT4 && stop - at > 9) {
      let first = at
      while (first < stop && bytes[first] === 48) first++
      if (exceeds(bytes, first, stop, INT4_MAX)) kind = INT8
      // Negated, 2^63 is an int8 and other texts of its class are not.
      if (exceeds(bytes, first, stop, INT8_MAX)) return -stop
    }
    this.literals.add(at, stop, kind, 0)
    return stop
  }

  /** Hints stay in the template, being part of what the plan depends on; other comments (trace contexts) do not. */
  #comment(from: number, to: number, lastToken: number): number {
    let at = from + 2
    while (at < to && CLASS[this.#bytes[at] as number] === SPACE) at++
    if (!startsWith(this.#bytes, at, to, PREFIX)) {
      if (this.gapCount === this.gapStarts.length) this.#growGaps()
      this.gapStarts[this.gapCount] = from - this.literals.base
      this.gapEnds[this.gapCount++] = to - this.literals.base
      this.#template[this.#out++] = 32
      return to
    }
    if (lastToken < 0) {
      if (this.leadingHintStart < 0) this.leadingHintStart = from
      this.leadingHintEnd = to
    } else {
      if (this.trailingHintStart < lastToken) this.trailingHintStart = from
      this.trailingHintEnd = to
    }
    this.#out += this.#bytes.copy(this.#template, this.#out, from, to)
    return to
  }

  #growGaps(): void {
    const starts = new Int32Array(this.gapCount * 2)
    const ends = new Int32Array(this.gapCount * 2)
    starts.set(this.gapStarts)
    ends.set(this.gapEnds)
    this.gapStarts = starts
    this.gapEnds = ends
  }
}

function isTemplated(bytes: Buffer, at: number, end: number): boolean {
  if (bytes[at] === 40) return true
  for (const word of TEMPLATED) {
    if (startsWith(bytes, at, end, word))
      return CONTINUES[bytes[at + word.length] as number] !== 1 || at + word.length >= end
  }
  return false
}
