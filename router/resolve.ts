/** A plan's keys → slots, for one execution: literals of the text at hand and bound parameters. */
import { errorOf } from '../src/errors/codes.ts'
import type { ShardwayError } from '../src/errors/shardway-error.ts'
import type { BindView } from '../src/protocol/bind-view.ts'
import { BinaryArrayReader, ELEMENT, END, TextArrayReader } from './arrays.ts'
import { type Literals, NUMERIC, STRING } from './literals.ts'
import type { KeySource, KeyType } from './plan.ts'
import { slotOfBytes, slotOfInt, slotOfUuid } from './slots.ts'
import { INVALID, UNSURE, endOfVarchar, int64, parseInt64, parseUuid } from './values.ts'

/** Type OIDs, which are the same on every server. pg_type.dat */
const INT8 = 20
const INT2 = 21
const INT4 = 23
const TEXT = 25
const UNKNOWN = 705
const VARCHAR = 1043
const UUID = 2950
const ARRAYS = new Map<number, number>([
  [1016, INT8],
  [1005, INT2],
  [1007, INT4],
  [1009, TEXT],
  [1015, VARCHAR],
  [2951, UUID],
])

/** No slot: NULL, a value that no server takes, or a parameter that is not there. A server answers for it. */
const NO_SLOT = -1

/** What a value came from, for the message: a parameter's index, or this. */
const LITERAL = -1

type LiteralKey = Extract<KeySource, { readonly from: 'literal' }>
type ParameterKey = Extract<KeySource, { readonly from: 'parameter' }>

export class KeyResolver {
  /** Slots of the keys of the last collect(). */
  readonly slots: number[] = []
  /** A key was NULL. */
  sawNull = false
  /** A key has no slot: what the statement touches is not known by slot. */
  incomplete = false
  #scratch = Buffer.alloc(256)
  readonly #uuid = new Uint8Array(16)
  readonly #textArray = new TextArrayReader()
  readonly #binaryArray = new BinaryArrayReader()

  /** Throws 0A000 for a value that only a server could evaluate. */
  collect(
    keys: readonly KeySource[],
    literals: Literals,
    parameters: BindView | null,
    parameterTypes: readonly number[],
  ): void {
    this.slots.length = 0
    this.sawNull = false
    this.incomplete = false
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as KeySource
      if (key.from === 'literal') this.#push(this.#literal(key, literals))
      else if (key.from === 'constant') this.#push(this.#constant(key.type, key.text))
      else if (parameters === null || key.index >= parameters.count) this.incomplete = true
      else if (parameters.length(key.index) < 0) this.#null()
      else this.#parameter(key, parameters, parameterTypes[key.index] ?? 0)
    }
  }

  #push(slot: number): void {
    if (slot === NO_SLOT) this.incomplete = true
    else this.slots.push(slot)
  }

  #null(): void {
    this.sawNull = true
    this.incomplete = true
  }

  #constant(type: KeyType, text: string): number {
    if (this.#scratch.length < text.length * 3) this.#scratch = Buffer.alloc(text.length * 4)
    const end = this.#scratch.write(text, 0, 'utf8')
    return this.#textValue(type, this.#scratch, 0, end, false, 0, LITERAL)
  }

  #literal(key: LiteralKey, literals: Literals): number {
    if (key.index >= literals.count) throw unreadable(LITERAL)
    const kind = literals.kinds[key.index]
    const start = literals.base + (literals.starts[key.index] as number)
    const end = literals.base + (literals.ends[key.index] as number)
    if (kind !== STRING) {
      if (kind === NUMERIC || key.type !== 'int') throw unreadable(LITERAL)
      return this.#textValue('int', literals.bytes, start, end, key.negate, 0, LITERAL)
    }
    if (key.negate) throw unreadable(LITERAL)
    if (literals.doubled[key.index] !== 1) {
      return this.#textValue(key.type, literals.bytes, start + 1, end - 1, false, key.maxChars, LITERAL)
    }
    if (this.#scratch.length < end - start) this.#scratch = Buffer.alloc((end - start) * 2)
    let length = 0
    for (let at = start + 1; at < end - 1; at++) {
      const byte = literals.bytes[at] as number
      this.#scratch[length++] = byte
      if (byte === 39) at++
    }
    return this.#textValue(key.type, this.#scratch, 0, length, false, key.maxChars, LITERAL)
  }

  #parameter(key: ParameterKey, parameters: BindView, declared: number): void {
    const type = declared === UNKNOWN ? 0 : declared
    const start = parameters.offset(key.index)
    const end = start + parameters.length(key.index)
    const source = key.index
    const binary = parameters.format(key.index) === 1
    if (!key.array) {
      if (type !== 0 && !fits(key.type, type)) throw unreadable(source)
      const slot = binary
        ? this.#binaryValue(key, parameters.buffer, start, end, type, source)
        : this.#typedText(key, parameters.buffer, start, end, type, source)
      this.#push(slot)
      return
    }
    const element = type === 0 ? 0 : (ARRAYS.get(type) ?? -1)
    if (element === -1 || (element !== 0 && !fits(key.type, element))) throw unreadable(source)
    if (binary) this.#binaryElements(key, parameters.buffer, start, end, element, source)
    else this.#textElements(key, parameters.buffer, start, end, element, source)
  }

  #textElements(key: ParameterKey, bytes: Buffer, start: number, end: number, type: number, source: number): void {
    const reader = this.#textArray
    if (!reader.open(bytes, start, end)) throw unreadable(source)
    for (let next = reader.next(); next !== END; next = reader.next()) {
      if (next !== ELEMENT) throw unreadable(source)
      if (!reader.isNull) this.#push(this.#typedText(key, reader.bytes, reader.start, reader.end, type, source))
    }
  }

  #binaryElements(key: ParameterKey, bytes: Buffer, start: number, end: number, type: number, source: number): void {
    const reader = this.#binaryArray
    if (!reader.open(bytes, start, end)) throw unreadable(source)
    const element = reader.elementType
    if (!fits(key.type, element) || (type !== 0 && type !== element)) throw unreadable(source)
    for (let next = reader.next(); next !== END; next = reader.next()) {
      if (next !== ELEMENT) throw unreadable(source)
      if (!reader.isNull) this.#push(this.#binaryValue(key, bytes, reader.start, reader.end, element, source))
    }
  }

  #binaryValue(key: ParameterKey, bytes: Buffer, start: number, end: number, type: number, source: number): number {
    // Used elsewhere too, the parameter may have got its type there: its bytes could mean a float.
    if (type === 0 && key.shared) throw unreadable(source)
    const length = end - start
    if (key.type === 'text') return slotOfBytes(bytes, start, endOfVarchar(bytes, start, end, key.maxChars))
    if (key.type === 'uuid') {
      if (length !== 16) throw unreadable(source)
      return slotOfUuid(bytes, start)
    }
    if (length === 4 && (type === INT4 || type === 0)) {
      const low = bytes.readInt32BE(start)
      return slotOfInt(low >> 31, low)
    }
    if (length === 8 && (type === INT8 || type === 0)) {
      return slotOfInt(bytes.readInt32BE(start), bytes.readInt32BE(start + 4))
    }
    if (length === 2 && (type === INT2 || type === 0)) {
      const low = bytes.readInt16BE(start)
      return slotOfInt(low >> 31, low)
    }
    throw unreadable(source)
  }

  #typedText(key: ParameterKey, bytes: Uint8Array, start: number, end: number, type: number, source: number): number {
    const slot = this.#textValue(key.type, bytes, start, end, false, key.maxChars, source)
    if (type !== 0 || !key.shared || key.type === 'uuid') return slot
    // The type may come from the other place: float4 rounds integers past 2^24, bpchar drops blanks, name cuts at 63 bytes.
    if (key.type === 'int') {
      if (slot === NO_SLOT) throw unreadable(source)
      const small = int64.hi === 0 ? int64.lo >>> 0 <= 0x100_0000 : int64.hi === -1 && int64.lo >>> 0 >= 0xff00_0000
      if (!small) throw unreadable(source)
    } else if (end - start > 63 || (end > start && bytes[end - 1] === 32)) {
      throw unreadable(source)
    }
    return slot
  }

  #textValue(
    type: KeyType,
    bytes: Uint8Array,
    start: number,
    end: number,
    negate: boolean,
    maxChars: number,
    source: number,
  ): number {
    if (type === 'text') return slotOfBytes(bytes, start, endOfVarchar(bytes, start, end, maxChars))
    if (type === 'uuid') return parseUuid(bytes, start, end, this.#uuid) ? slotOfUuid(this.#uuid, 0) : NO_SLOT
    const outcome = parseInt64(bytes, start, end, negate)
    if (outcome === UNSURE) throw unreadable(source)
    return outcome === INVALID ? NO_SLOT : slotOfInt(int64.hi, int64.lo)
  }
}

/** May a value of this wire type stand for a key of the column's type, equal meaning equal hash? */
function fits(key: KeyType, type: number): boolean {
  if (key === 'int') return type === INT8 || type === INT4 || type === INT2
  if (key === 'text') return type === TEXT || type === VARCHAR
  return type === UUID
}

function unreadable(source: number): ShardwayError {
  const what = source === LITERAL ? 'a literal' : `parameter $${source + 1}`
  return errorOf(
    'not_supported',
    { what: `the value of ${what} as a shard key` },
    { hint: 'Bind the key as a parameter of its own type (int8, text or uuid), or write it as a plain literal.' },
  )
}
