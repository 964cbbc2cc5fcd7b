/**
 * Postgres's hash functions for partition keys, low 32 bits of the 64 (the slot needs only 14). Bob Jenkins' lookup3 as
 * in src/common/hashfn.c, little-endian servers. Everything is 32-bit integer arithmetic.
 */

/** HASH_PARTITION_SEED, src/include/catalog/partition.h */
const SEED_HIGH = 0x7a5b2236
const SEED_LOW = 0x7996dcfd
const INITIAL = (0x9e3779b9 + 3923095) | 0

// Set by seed(): the state after the seed was mixed in for a key of the given length. Reused, so nothing is allocated.
let seededA = 0
let seededB = 0
let seededC = 0

function seed(length: number): void {
  const start = (INITIAL + length) | 0
  let a = (start + SEED_HIGH) | 0
  let b = (start + SEED_LOW) | 0
  let c = start
  a = (a - c) ^ ((c << 4) | (c >>> 28))
  c = (c + b) | 0
  b = (b - a) ^ ((a << 6) | (a >>> 26))
  a = (a + c) | 0
  c = (c - b) ^ ((b << 8) | (b >>> 24))
  b = (b + a) | 0
  a = (a - c) ^ ((c << 16) | (c >>> 16))
  c = (c + b) | 0
  b = (b - a) ^ ((a << 19) | (a >>> 13))
  a = (a + c) | 0
  c = (c - b) ^ ((b << 4) | (b >>> 28))
  b = (b + a) | 0
  seededA = a
  seededB = b
  seededC = c
}

/** lookup3's final(), returning c. */
function finish(a: number, b: number, c: number): number {
  c = (c ^ b) - ((b << 14) | (b >>> 18))
  a = (a ^ c) - ((c << 11) | (c >>> 21))
  b = (b ^ a) - ((a << 25) | (a >>> 7))
  c = (c ^ b) - ((b << 16) | (b >>> 16))
  a = (a ^ c) - ((c << 4) | (c >>> 28))
  b = (b ^ a) - ((a << 14) | (a >>> 18))
  return (c ^ b) - ((b << 24) | (b >>> 8))
}

seed(4)
const INT_A = seededA
const INT_B = seededB
const INT_C = seededC

/** hashint8extended of the 64-bit integer `hi:lo` (halves as int32); the same for int2 and int4. */
export function hashInt(hi: number, lo: number): number {
  return finish((INT_A + (lo ^ (hi < 0 ? ~hi : hi))) | 0, INT_B, INT_C) | 0
}

/** hash_any_extended of the bytes: hashtextextended under a deterministic collation, and uuid_hash_extended. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  seed(end - start)
  let a = seededA
  let b = seededB
  let c = seededC
  let at = start
  let left = end - start
  while (left >= 12) {
    a = (a + word(bytes, at)) | 0
    b = (b + word(bytes, at + 4)) | 0
    c = (c + word(bytes, at + 8)) | 0
    a = (a - c) ^ ((c << 4) | (c >>> 28))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 6) | (a >>> 26))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 8) | (b >>> 24))
    b = (b + a) | 0
    a = (a - c) ^ ((c << 16) | (c >>> 16))
    c = (c + b) | 0
    b = (b - a) ^ ((a << 19) | (a >>> 13))
    a = (a + c) | 0
    c = (c - b) ^ ((b << 4) | (b >>> 28))
    b = (b + a) | 0
    at += 12
    left -= 12
  }
  // The lowest byte of c is reserved for the length: the third word's bytes enter one place higher.
  if (left > 8) {
    c = (c + (partial(bytes, at + 8, left - 8) << 8)) | 0
    b = (b + word(bytes, at + 4)) | 0
    a = (a + word(bytes, at)) | 0
  } else if (left > 4) {
    b = (b + partial(bytes, at + 4, left - 4)) | 0
    a = (a + word(bytes, at)) | 0
  } else if (left > 0) {
    a = (a + partial(bytes, at, left)) | 0
  }
  return finish(a, b, c) | 0
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** 1 to 4 bytes, little-endian. */
function partial(bytes: Uint8Array, at: number, count: number): number {
  let value = bytes[at] as number
  if (count > 1) value |= (bytes[at + 1] as number) << 8
  if (count > 2) value |= (bytes[at + 2] as number) << 16
  if (count > 3) value |= (bytes[at + 3] as number) << 24
  return value
}
