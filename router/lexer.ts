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
  lineEnd,
  quotedEnd,
  startsWith,
} from './scan.ts'
import { INT4, INT8, type LiteralKind, Literals, NUMERIC, STRING } from './literals.ts'

/** 0xF8 and kind: no byte of UTF-8. */
const PLACEHOLDER = 0xf8

const PREFIX = Buffer.from('shardway:')
/** Only these may share plans: every other kind of statement can depend on each of its literals. */
const TEMPLATED = ['select', 'insert', 'update', 'delete', 'with', 'values', 'merge'].map(word => Buffer.from(word))
const INT4_MAX = Buffer.from('2147483647')
const INT8_MAX = Buffer.from('9223372036854775807')

export class Lexer {
  readonly literals = new Literals()
  /** The text must be planned for itself: it has no template. */
  exactOnly = false
  /** Comments that hold hints, as positions in the buffer; start -1 when there is none. */
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
    this.#out = 0
    const template = this.#template
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
        template[this.#out++] = byte
        at++
        continue
      }
      if (kind === DASH && bytes[at + 1] === 45 && at + 1 < end) {
        at = this.#comment(at, lineEnd(bytes, at, end), firstToken < 0)
        continue
      }
      if (kind === SLASH && bytes[at + 1] === 42 && at + 1 < end) {
        const stop = blockCommentEnd(bytes, at, end)
        if (stop < 0) exact = true
        at = this.#comment(at, stop < 0 ? end : stop, firstToken < 0)
        continue
      }
      if (kind === SEMICOLON) {
        if (semicolon < 0) semicolon = at
        stringEnd = -1
        template[this.#out++] = byte
        at++
        continue
      }
      if (firstToken < 0) firstToken = at
      lastToken = at
      let stop = at + 1
      if (kind === QUOTE) {
        // Two constants in a row are one value, continued over a line break.
        if (stringEnd >= 0) exact = true
        stop = stringEnd >= 0 && backslashes ? backslashStringEnd(bytes, at + 1, end) : this.#string(at)
        if (stop < 0) {
          exact = true
          stop = end
        }
        stringEnd = stop
        at = stop
        continue
      }
      let string = false
      if (kind === WORD) {
        const next = stop < end ? (bytes[stop] as number) : 0
        if (next === 39 || next === 38) {
          const lower = byte | 32
          if (next === 39 && (lower === 101 || lower === 98 || lower === 120)) {
            exact = true
            string = true
            backslashes = lower === 101
            stop = backslashes ? backslashStringEnd(bytes, at + 2, end) : quotedEnd(bytes, at + 2, end, 39)
          } else if (next === 39 && lower === 110) {
            exact = true
          } else if (next === 38 && lower === 117 && (bytes[at + 2] === 39 || bytes[at + 2] === 34) && at + 2 < end) {
            exact = true
            string = bytes[at + 2] === 39
            backslashes = false
            stop = quotedEnd(bytes, at + 3, end, bytes[at + 2] as number)
          }
        } else {
          while (stop < end && CONTINUES[bytes[stop] as number] === 1) stop++
        }
      } else if (kind === DIGIT || (kind === DOT && stop < end && CLASS[bytes[stop] as number] === DIGIT)) {
        stop = this.#number(at)
        if (stop >= 0) {
          stringEnd = -1
          at = stop
          continue
        }
        stop = -stop
        exact = true
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
      let out = this.#out
      while (at < stop) template[out++] = bytes[at++] as number
      this.#out = out
    }
    if (this.trailingHintStart >= 0 && this.trailingHintStart < lastToken) this.trailingHintStart = -1
    if (semicolon >= 0 && lastToken > semicolon) exact = true
    this.exactOnly = exact || firstToken < 0 || !isTemplated(bytes, firstToken, end)
    return this.exactOnly ? null : template.toString('latin1', 0, this.#out)
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
    this.#literal(at, stop + 1, STRING, doubled)
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
    if (stop < end && ((bytes[stop] as number) | 32) === 101) {
      let exponent = stop + 1
      if (exponent < end && (bytes[exponent] === 43 || bytes[exponent] === 45)) exponent++
      if (exponent < end && CLASS[bytes[exponent] as number] === DIGIT) {
        kind = NUMERIC
        stop = exponent
        while (stop < end && CLASS[bytes[stop] as number] === DIGIT) stop++
      }
    }
    // 0x2A, 4_2, 1abc: a number on some versions, an error on others.
    if (stop < end && CONTINUES[bytes[stop] as number] === 1) {
      while (stop < end && CONTINUES[bytes[stop] as number] === 1) stop++
      return -stop
    }
    if (kind === INT4 && stop - at > 9) {
      let first = at
      while (first < stop && bytes[first] === 48) first++
      if (exceeds(bytes, first, stop, INT4_MAX)) kind = INT8
      // Negated, 2^63 is an int8 and other texts of its class are not.
      if (exceeds(bytes, first, stop, INT8_MAX)) return -stop
    }
    this.#literal(at, stop, kind, 0)
    return stop
  }

  #literal(start: number, end: number, kind: LiteralKind, doubled: number): void {
    this.literals.add(start, end, kind, doubled)
    this.#template[this.#out++] = PLACEHOLDER + kind
  }

  /** Hints stay in the template, being part of what the plan depends on; other comments (trace contexts) do not. */
  #comment(from: number, to: number, leading: boolean): number {
    let at = from + 2
    while (at < to && CLASS[this.#bytes[at] as number] === SPACE) at++
    if (!startsWith(this.#bytes, at, to, PREFIX)) {
      if (this.gapCount === this.gapStarts.length) this.#growGaps()
      this.gapStarts[this.gapCount] = from - this.literals.base
      this.gapEnds[this.gapCount++] = to - this.literals.base
      this.#template[this.#out++] = 32
      return to
    }
    if (leading) {
      this.leadingHintStart = from
      this.leadingHintEnd = to
    } else {
      this.trailingHintStart = from
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
