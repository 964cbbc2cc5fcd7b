/**
 * What sibling workers say to each other: length-prefixed frames of marks.
 *
 *     frame  := u32 length of what follows · u8 kind · f64 sequence · body
 *     hello  := u32 serial of the sender · operations of all sets that run      (first frame in both directions)
 *     batch  := operations                                                      (to be acknowledged by its sequence)
 *     ack    := nothing
 *     name   := 1 · u16 id · u8 length · bytes          a database's name, before its id is used
 *     add    := 2 · f64 set · u16 database · u32 relation · i16 slot
 *     close  := 3 · f64 set · f64 end in microseconds
 */

export const FRAME_KINDS = { hello: 1, batch: 2, ack: 3 } as const
export type FrameKind = (typeof FRAME_KINDS)[keyof typeof FRAME_KINDS]

const NAME = 1
const ADD = 2
const CLOSE = 3
const HEADER_BYTES = 13
/** More than a worker can write in one turn; a larger length is not one of ours. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024

export interface Operations {
  added(set: number, database: string, relation: number, slot: number): void
  closed(set: number, endUs: number): void
}

/** Builds one frame; `take` gives it away and begins the next. */
export class FrameWriter {
  #buffer = Buffer.allocUnsafe(1024)
  #length = HEADER_BYTES
  readonly #names: Map<string, number>

  /** `names` is shared by all frames of one sender: ids are given once, and repeated in each hello. */
  constructor(names: Map<string, number>) {
    this.#names = names
  }

  get empty(): boolean {
    return this.#length === HEADER_BYTES
  }

  serial(serial: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32BE(serial, this.#length)
  }

  name(database: string): number {
    const known = this.#names.get(database)
    if (known !== undefined) return known
    const id = this.#names.size
    this.#names.set(database, id)
    this.defineName(database, id)
    return id
  }

  defineName(database: string, id: number): void {
    const bytes = Buffer.byteLength(database)
    this.#reserve(4 + bytes)
    this.#length = this.#buffer.writeUInt8(NAME, this.#length)
    this.#length = this.#buffer.writeUInt16BE(id, this.#length)
    this.#length = this.#buffer.writeUInt8(bytes, this.#length)
    this.#length += this.#buffer.write(database, this.#length)
  }

  added(set: number, database: string, relation: number, slot: number): void {
    const id = this.name(database)
    this.#reserve(17)
    this.#length = this.#buffer.writeUInt8(ADD, this.#length)
    this.#length = this.#buffer.writeDoubleBE(set, this.#length)
    this.#length = this.#buffer.writeUInt16BE(id, this.#length)
    this.#length = this.#buffer.writeUInt32BE(relation, this.#length)
    this.#length = this.#buffer.writeInt16BE(slot, this.#length)
  }

  closed(set: number, endUs: number): void {
    this.#reserve(17)
    this.#length = this.#buffer.writeUInt8(CLOSE, this.#length)
    this.#length = this.#buffer.writeDoubleBE(set, this.#length)
    this.#length = this.#buffer.writeDoubleBE(endUs, this.#length)
  }

  take(kind: FrameKind, sequence: number): Buffer {
    this.#buffer.writeUInt32BE(this.#length - 4, 0)
    this.#buffer.writeUInt8(kind, 4)
    this.#buffer.writeDoubleBE(sequence, 5)
    const frame = Buffer.from(this.#buffer.subarray(0, this.#length))
    this.#length = HEADER_BYTES
    return frame
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

export function ackFrame(sequence: number): Buffer {
  return new FrameWriter(new Map()).take(FRAME_KINDS.ack, sequence)
}

export interface Frame {
  readonly kind: number
  readonly sequence: number
  readonly body: Buffer
}

/** Cuts a stream into frames, at any split. Throws on what cannot be ours. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  read(chunk: Buffer, visit: (frame: Frame) => void): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (data.length - at >= 4) {
      const length = data.readUInt32BE(at)
      if (length < HEADER_BYTES - 4 || length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${length} bytes`)
      if (data.length - at < 4 + length) break
      const body = data.subarray(at + HEADER_BYTES, at + 4 + length)
      visit({ kind: data.readUInt8(at + 4), sequence: data.readDoubleBE(at + 5), body })
      at += 4 + length
    }
    this.#rest = data.subarray(at)
  }
}

/** `names`: ids of the sender, kept over the frames of one connection. */
export function readOperations(body: Buffer, from: number, names: Map<number, string>, operations: Operations): void {
  let at = from
  while (at < body.length) {
    const kind = body.readUInt8(at)
    if (kind === NAME) {
      const length = body.readUInt8(at + 3)
      names.set(body.readUInt16BE(at + 1), body.toString('utf8', at + 4, at + 4 + length))
      at += 4 + length
    } else if (kind === ADD) {
      const database = names.get(body.readUInt16BE(at + 9))
      if (database === undefined) throw new RangeError('mark of a database without a name')
      operations.added(body.readDoubleBE(at + 1), database, body.readUInt32BE(at + 11), body.readInt16BE(at + 15))
      at += 17
    } else if (kind === CLOSE) {
      operations.closed(body.readDoubleBE(at + 1), body.readDoubleBE(at + 9))
      at += 17
    } else {
      throw new RangeError(`unknown mark operation ${kind}`)
    }
  }
}
