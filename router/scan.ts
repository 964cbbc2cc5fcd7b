/** Where the parts of a statement end, byte by byte, as src/backend/parser/scan.l reads them. */

// Byte classes; 0 for all others.
export const SPACE = 1
export const WORD = 2
export const DIGIT = 3
export const QUOTE = 4
export const DOUBLE_QUOTE = 5
export const DOLLAR = 6
export const DOT = 7
/** Never part of a statement that a server accepts, apart from inside quotes; placeholders are taken from here. */
export const FOREIGN = 8
/** From here on: what may be no token at all. */
export const DASH = 9
export const SLASH = 10
export const SEMICOLON = 11

export const CLASS = new Uint8Array(256)
/** 1 for bytes that continue an identifier. */
export const CONTINUES = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  const lower = byte | 32
  if ((lower >= 97 && lower <= 122) || byte === 95 || (byte >= 0x80 && byte < 0xf5)) CLASS[byte] = WORD
  else if (byte >= 48 && byte <= 57) CLASS[byte] = DIGIT
  else if (byte === 32 || (byte >= 9 && byte <= 13)) CLASS[byte] = SPACE
  else if (byte < 32 || byte >= 0xf5 || byte === 127) CLASS[byte] = FOREIGN
  if (CLASS[byte] === WORD || CLASS[byte] === DIGIT || byte === 36) CONTINUES[byte] = 1
}
CLASS[39] = QUOTE
CLASS[34] = DOUBLE_QUOTE
CLASS[45] = DASH
CLASS[47] = SLASH
CLASS[36] = DOLLAR
CLASS[46] = DOT
CLASS[59] = SEMICOLON

/** Position past the closing quote, which stands doubled inside; -1 when there is none. */
export function quotedEnd(bytes: Buffer, from: number, end: number, quote: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] !== quote) continue
    if (at + 1 >= end || bytes[at + 1] !== quote) return at + 1
    at++
  }
  return -1
}

export function backslashStringEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === 92) at++
    else if (bytes[at] !== 39) continue
    else if (at + 1 >= end || bytes[at + 1] !== 39) return at + 1
    else at++
  }
  return -1
}

/** `$1`, `$tag$…$tag$` or a lone `$`; -1 when a body has no end or a parameter is followed by junk. */
export function dollarEnd(bytes: Buffer, at: number, end: number): number {
  let stop = at + 1
  if (stop < end && CLASS[bytes[stop] as number] === DIGIT) {
    while (stop < end && CLASS[bytes[stop] as number] === DIGIT) stop++
    return stop < end && CONTINUES[bytes[stop] as number] === 1 ? -1 : stop
  }
  while (stop < end && bytes[stop] !== 36 && CONTINUES[bytes[stop] as number] === 1) stop++
  if (stop >= end || bytes[stop] !== 36) return at + 1
  const tag = bytes.subarray(at, stop + 1)
  const close = bytes.subarray(0, end).indexOf(tag, stop + 1)
  return close < 0 ? -1 : close + tag.length
}

/** Position past an exponent (`e5`, `E-3`), or -1 when there is none. */
export function exponentEnd(bytes: Buffer, at: number, end: number): number {
  if (((bytes[at] as number) | 32) !== 101) return -1
  let stop = at + 1
  if (stop < end && (bytes[stop] === 43 || bytes[stop] === 45)) stop++
  const first = stop
  while (stop < end && CLASS[bytes[stop] as number] === DIGIT) stop++
  return stop === first ? -1 : stop
}

export function lineEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== 10 && bytes[at] !== 13) at++
  return at
}

/** Position past a block comment, which may hold others; -1 when it has no end. */
export function blockCommentEnd(bytes: Buffer, from: number, end: number): number {
  let depth = 0
  for (let at = from; at + 1 < end; at++) {
    if (bytes[at] === 47 && bytes[at + 1] === 42) depth++
    else if (bytes[at] !== 42 || bytes[at + 1] !== 47) continue
    else if (--depth === 0) return at + 2
    at++
  }
  return -1
}

/** Digits without leading zeros, against a bound of the same kind. */
export function exceeds(bytes: Buffer, start: number, end: number, bound: Buffer): boolean {
  if (end - start !== bound.length) return end - start > bound.length
  return bytes.compare(bound, 0, bound.length, start, end) > 0
}

/** Without regard to the case of ASCII letters; `word` is lower case. */
export function startsWith(bytes: Buffer, at: number, end: number, word: Buffer): boolean {
  if (end - at < word.length) return false
  for (let i = 0; i < word.length; i++) {
    const byte = bytes[at + i] as number
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== word[i]) return false
  }
  return true
}
