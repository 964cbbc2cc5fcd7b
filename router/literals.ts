/** The literals that the lexer stripped from a text: where each stands and what class it is. Reused for each text. */

export const INT4 = 1
export const INT8 = 2
/** Has a point or an exponent. */
export const NUMERIC = 3
export const STRING = 4
export type LiteralKind = typeof INT4 | typeof INT8 | typeof NUMERIC | typeof STRING

const NONE = Buffer.alloc(0)

export class Literals {
  count = 0
  /** Byte offsets from the text's first byte, as the parser's locations are. A string's quotes are included. */
  starts = new Int32Array(64)
  ends = new Int32Array(64)
  kinds = new Uint8Array(64)
  /** 1 where a string holds doubled quotes. */
  doubled = new Uint8Array(64)
  /** The buffer with the text, which begins at `base`. */
  bytes: Buffer = NONE
  base = 0

  reset(bytes: Buffer, base: number): void {
    this.count = 0
    this.bytes = bytes
    this.base = base
  }

  add(start: number, end: number, kind: LiteralKind, doubled: number): void {
    const index = this.count
    if (index === this.starts.length) this.#grow()
    this.starts[index] = start - this.base
    this.ends[index] = end - this.base
    this.kinds[index] = kind
    this.doubled[index] = doubled
    this.count = index + 1
  }

  /**
   * Index of the literal that a parser's constant at this byte offset stands for, or -1. The parser folds signs into a
   * constant (`-5`, `- (5)`, `--` excepted) and gives the first sign's place: signs, parentheses, white space and
   * comments in between are looked through; `negatedAt` tells the sign.
   */
  indexAt(offset: number): number {
    const index = this.#firstFrom(offset)
    return index >= 0 && this.#signs(offset, this.starts[index] as number) >= 0 ? index : -1
  }

  /** True when an odd number of minus signs lies between the offset and its literal. */
  negatedAt(offset: number): boolean {
    const index = this.#firstFrom(offset)
    return index >= 0 && (this.#signs(offset, this.starts[index] as number) & 1) === 1
  }

  /** The literal's value: digits as written, or a string's content with doubled quotes resolved. */
  text(index: number): string {
    const start = this.base + (this.starts[index] as number)
    const end = this.base + (this.ends[index] as number)
    if (this.kinds[index] !== STRING) return this.bytes.toString('latin1', start, end)
    const inner = this.bytes.toString('utf8', start + 1, end - 1)
    return this.doubled[index] === 1 ? inner.replaceAll("''", "'") : inner
  }

  #firstFrom(offset: number): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.starts[middle] as number) < offset) low = middle + 1
      else high = middle
    }
    return low < this.count ? low : -1
  }

  /** Minus signs between two offsets, or -1 when anything but a sign, a parenthesis or a gap lies there. */
  #signs(from: number, to: number): number {
    let minuses = 0
    const bytes = this.bytes
    const end = this.base + to
    for (let at = this.base + from; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === 45 && bytes[at + 1] === 45) {
        while (at < end && bytes[at] !== 10 && bytes[at] !== 13) at++
      } else if (byte === 45) {
        minuses++
      } else if (byte === 47 && bytes[at + 1] === 42) {
        let depth = 0
        for (; at < end; at++) {
          if (bytes[at] === 47 && bytes[at + 1] === 42) depth++
          else if (bytes[at] !== 42 || bytes[at + 1] !== 47) continue
          else if (--depth === 0) break
          at++
        }
        at++
      } else if (byte !== 40 && byte !== 32 && (byte < 9 || byte > 13)) {
        return -1
      }
    }
    return minuses
  }

  #grow(): void {
    this.starts = grown(this.starts, new Int32Array(this.count * 2))
    this.ends = grown(this.ends, new Int32Array(this.count * 2))
    this.kinds = grown(this.kinds, new Uint8Array(this.count * 2))
    this.doubled = grown(this.doubled, new Uint8Array(this.count * 2))
  }
}

function grown<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
