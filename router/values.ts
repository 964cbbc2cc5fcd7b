/**
 * Spellings of key values → the value as the server stores it. What is hashed must be what is stored, so a spelling
 * that this file does not understand is never guessed at.
 */

/** Understood. */
export const OK = 0
/** No server version accepts it as a value of the type: any shard will answer with the error. */
export const INVALID = 1
/** Some server version may accept it (`0x2A`, `4_2`, nested arrays …). */
export const UNSURE = 2
export type Outcome = typeof OK | typeof INVALID | typeof UNSURE

/** Result of the last parseInt64 that returned OK; int32 halves in two's complement. Reused. */
export const int64 = { hi: 0, lo: 0 }

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13)
}

/**
 * int8in for decimal spellings: white space around, one sign, digits. `negate` turns the sign of the result, for a
 * minus that stands outside the literal.
 */
export function parseInt64(bytes: Uint8Array, start: number, end: number, negate: boolean): Outcome {
  let at = start
  let stop = end
  while (at < stop && isSpace(bytes[at] as number)) at++
  while (stop > at && isSpace(bytes[stop - 1] as number)) stop--
  let negative = negate
  if (at < stop && (bytes[at] === 45 || bytes[at] === 43)) {
    if (bytes[at] === 45) negative = !negative
    at++
  }
  if (at === stop) return INVALID
  const first = at
  let value = 0
  // Nine digits fit an int32, hence the common case: no carry.
  const easy = Math.min(stop, at + 9)
  for (; at < easy; at++) {
    const digit = (bytes[at] as number) - 48
    if (digit < 0 || digit > 9) return notDecimal(bytes, first, stop)
    value = value * 10 + digit
  }
  let hi = 0
  let lo = value
  for (; at < stop; at++) {
    const digit = (bytes[at] as number) - 48
    if (digit < 0 || digit > 9) return notDecimal(bytes, first, stop)
    const low = lo * 10 + digit
    const carry = Math.floor(low / 0x1_0000_0000)
    lo = low - carry * 0x1_0000_0000
    hi = hi * 10 + carry
    // 2^63 itself passes, for the negative end of the range.
    if (hi > 0x8000_0000) return restIsDecimal(bytes, at, stop) ? INVALID : notDecimal(bytes, first, stop)
  }
  if (hi >= 0x8000_0000 && !(negative && hi === 0x8000_0000 && lo === 0)) return INVALID
  int64.hi = hi | 0
  int64.lo = lo | 0
  if (negative) {
    int64.lo = -(lo | 0) | 0
    int64.hi = (~hi + (int64.lo === 0 ? 1 : 0)) | 0
  }
  return OK
}

function restIsDecimal(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const digit = (bytes[at] as number) - 48
    if (digit < 0 || digit > 9) return false
  }
  return true
}

/** Postgres 16 reads 0x, 0o, 0b and underscores between digits; everything else is 22P02 on all versions. */
function notDecimal(bytes: Uint8Array, start: number, end: number): Outcome {
  const base = (bytes[start + 1] as number) | 32
  if (bytes[start] === 48 && start + 1 < end && (base === 120 || base === 111 || base === 98)) return UNSURE
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte !== 95 && (byte < 48 || byte > 57)) return INVALID
  }
  return UNSURE
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** uuid_in: braces around, a hyphen after any group of four digits, either case. False when the server refuses it. */
export function parseUuid(bytes: Uint8Array, start: number, end: number, out: Uint8Array): boolean {
  let at = start
  const braces = at < end && bytes[at] === 123
  if (braces) at++
  for (let i = 0; i < 16; i++) {
    if (at + 2 > end) return false
    const high = hexDigit(bytes[at] as number)
    const low = hexDigit(bytes[at + 1] as number)
    if (high < 0 || low < 0) return false
    out[i] = (high << 4) | low
    at += 2
    if ((i & 1) === 1 && i < 15 && at < end && bytes[at] === 45) at++
  }
  if (braces) {
    if (at >= end || bytes[at] !== 125) return false
    at++
  }
  return at === end
}

/**
 * End of a text value assigned to varchar(maxChars): trailing blanks past the length are cut, as the server does. A value
 * that is still too long is left alone (the server answers 22001). 0: no length.
 */
export function endOfVarchar(bytes: Uint8Array, start: number, end: number, maxChars: number): number {
  if (maxChars <= 0 || end - start <= maxChars) return end
  let chars = 0
  let at = start
  for (; at < end; at++) {
    if (((bytes[at] as number) & 0xc0) !== 0x80 && ++chars > maxChars) break
  }
  for (let rest = at; rest < end; rest++) if (bytes[rest] !== 32) return end
  return at
}

const encoder = new TextEncoder()
const hex = Buffer.alloc(16)

/** Canonical decimal spelling of an integer key, or null when the spelling is not understood. For plan making. */
export function canonicalInt(text: string): string | null {
  const bytes = encoder.encode(text)
  if (parseInt64(bytes, 0, bytes.length, false) !== OK) return null
  return ((BigInt(int64.hi) << 32n) | BigInt(int64.lo >>> 0)).toString()
}

/** Lower case, hyphens as Postgres prints them; null when it would not accept the spelling. For plan making. */
export function canonicalUuid(text: string): string | null {
  const bytes = encoder.encode(text)
  if (!parseUuid(bytes, 0, bytes.length, hex)) return null
  const digits = hex.toString('hex')
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
}

/** A text value as varchar(maxChars) stores it. For plan making. */
export function canonicalText(text: string, maxChars: number): string {
  if (maxChars <= 0) return text
  const bytes = Buffer.from(text, 'utf8')
  return bytes.toString('utf8', 0, endOfVarchar(bytes, 0, bytes.length, maxChars))
}
