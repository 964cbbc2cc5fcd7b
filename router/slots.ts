/**
 * Slot of a key: Postgres's own hash-partition remainder for modulus 16384, so that stock SQL can audit placement:
 * `((hashint8extended(id, 8816678312871386365) & 16383) + 10467) & 16383`; hashtextextended and uuid_hash_extended for
 * the other types. 10467 is what hash_combine64 adds (0x49a0f4dd15e5a8e3), modulo 16384.
 */
import { hashBytes, hashInt } from './hash.ts'
import { OK, int64, parseInt64, parseUuid } from './values.ts'

const MASK = 16383
const COMBINE = 10467

const uuidBytes = new Uint8Array(16)

/** `hi` and `lo` are the int32 halves of a 64-bit integer in two's complement. */
export function slotOfInt(hi: number, lo: number): number {
  return ((hashInt(hi, lo) & MASK) + COMBINE) & MASK
}

/** Any safe integer. */
export function slotOfNumber(value: number): number {
  return slotOfInt(Math.floor(value / 0x1_0000_0000), value | 0)
}

/** Slot of a decimal spelling, or -1 when it is not one of an int8. */
export function slotOfIntText(bytes: Uint8Array, start: number, end: number): number {
  return parseInt64(bytes, start, end, false) === OK ? slotOfInt(int64.hi, int64.lo) : -1
}

/** A text or varchar key: its UTF-8 bytes as the server stores them. */
export function slotOfBytes(bytes: Uint8Array, start: number, end: number): number {
  return ((hashBytes(bytes, start, end) & MASK) + COMBINE) & MASK
}

/** The 16 bytes of a uuid from `start`. */
export function slotOfUuid(bytes: Uint8Array, start: number): number {
  return slotOfBytes(bytes, start, start + 16)
}

/** Slot of a uuid's spelling, or -1 when Postgres would not accept it. */
export function slotOfUuidText(bytes: Uint8Array, start: number, end: number): number {
  return parseUuid(bytes, start, end, uuidBytes) ? slotOfUuid(uuidBytes, 0) : -1
}
