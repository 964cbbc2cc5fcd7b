/** Elements of a one-dimensional array parameter, in text or binary format, one after the other without copies. */

export const ELEMENT = 0
export const END = 1
/** Malformed, or a shape that is not read here (several dimensions, explicit bounds). */
export const UNREADABLE = 2

/** `{1,2,"a b",NULL}`, array_in with the default delimiter. The element lies in `bytes` from `start` to `end`. */
export class TextArrayReader {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  isNull = false
  #source: Uint8Array = this.bytes
  #at = 0
  #stop = 0
  #first = true
  #scratch = new Uint8Array(256)

  open(bytes: Uint8Array, start: number, end: number): boolean {
    this.#source = bytes
    this.#stop = end
    this.#first = true
    this.#at = skipSpace(bytes, start, end)
    if (this.#at >= end || bytes[this.#at] !== 123) return false
    this.#at++
    return true
  }

  next(): typeof ELEMENT | typeof END | typeof UNREADABLE {
    const bytes = this.#source
    const stop = this.#stop
    let at = skipSpace(bytes, this.#at, stop)
    if (at >= stop) return UNREADABLE
    if (bytes[at] === 125) {
      // `{}` is empty; `{1,}` is malformed, but a comma below demands an element, so it is not seen here.
      return skipSpace(bytes, at + 1, stop) === stop ? END : UNREADABLE
    }
    if (!this.#first) {
      if (bytes[at] !== 44) return UNREADABLE
      at = skipSpace(bytes, at + 1, stop)
    }
    this.#first = false
    return bytes[at] === 34 ? this.#quoted(at + 1) : this.#bare(at)
  }

  #quoted(from: number): typeof ELEMENT | typeof UNREADABLE {
    const bytes = this.#source
    let escaped = false
    for (let at = from; at < this.#stop; at++) {
      const byte = bytes[at]
      if (byte === 92) {
        escaped = true
        at++
      } else if (byte === 34) {
        this.isNull = false
        this.#at = at + 1
        return this.#yield(from, at, escaped)
      }
    }
    return UNREADABLE
  }

  #bare(from: number): typeof ELEMENT | typeof UNREADABLE {
    const bytes = this.#source
    let escaped = false
    let last = from
    let at = from
    for (; at < this.#stop; at++) {
      const byte = bytes[at] as number
      if (byte === 44 || byte === 125) break
      if (byte === 123 || byte === 34) return UNREADABLE
      if (byte === 92) {
        escaped = true
        at++
        last = at + 1
      } else if (byte !== 32 && (byte < 9 || byte > 13)) {
        last = at + 1
      }
    }
    if (at >= this.#stop || last === from) return UNREADABLE
    this.#at = at
    this.isNull = !escaped && last - from === 4 && isNullWord(bytes, from)
    return this.#yield(from, last, escaped)
  }

  #yield(from: number, to: number, escaped: boolean): typeof ELEMENT {
    if (!escaped) {
      this.bytes = this.#source
      this.start = from
      this.end = to
      return ELEMENT
    }
    if (this.#scratch.length < to - from) this.#scratch = new Uint8Array((to - from) * 2)
    let length = 0
    for (let at = from; at < to; at++) {
      if (this.#source[at] === 92) at++
      this.#scratch[length++] = this.#source[at] as number
    }
    this.bytes = this.#scratch
    this.start = 0
    this.end = length
    return ELEMENT
  }
}

/** array_recv's format: dimensions, flags, element type, then each element with its length. */
export class BinaryArrayReader {
  /** OID of the elements' type. */
  elementType = 0
  start = 0
  end = 0
  isNull = false
  #source: Buffer = Buffer.alloc(0)
  #at = 0
  #stop = 0
  #left = 0

  open(bytes: Buffer, start: number, end: number): boolean {
    if (end - start < 12) return false
    const dimensions = bytes.readInt32BE(start)
    if (dimensions < 0 || dimensions > 1) return false
    this.elementType = bytes.readUInt32BE(start + 8)
    this.#source = bytes
    this.#at = start + 12
    this.#stop = end
    this.#left = 0
    if (dimensions === 1) {
      if (end - this.#at < 8) return false
      this.#left = bytes.readInt32BE(this.#at)
      this.#at += 8
      if (this.#left < 0) return false
    }
    return true
  }

  next(): typeof ELEMENT | typeof END | typeof UNREADABLE {
    if (this.#left === 0) return this.#at === this.#stop ? END : UNREADABLE
    if (this.#stop - this.#at < 4) return UNREADABLE
    const length = this.#source.readInt32BE(this.#at)
    this.#at += 4
    this.#left--
    this.isNull = length === -1
    if (this.isNull) return ELEMENT
    if (length < 0 || length > this.#stop - this.#at) return UNREADABLE
    this.start = this.#at
    this.end = this.#at + length
    this.#at = this.end
    return ELEMENT
  }
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && (bytes[at] === 32 || ((bytes[at] as number) >= 9 && (bytes[at] as number) <= 13))) at++
  return at
}

function isNullWord(bytes: Uint8Array, at: number): boolean {
  return (
    ((bytes[at] as number) | 32) === 110 &&
    ((bytes[at + 1] as number) | 32) === 117 &&
    ((bytes[at + 2] as number) | 32) === 108 &&
    ((bytes[at + 3] as number) | 32) === 108
  )
}
