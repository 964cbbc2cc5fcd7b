/** Fields of an ErrorResponse or NoticeResponse that the proxy looks at. */
export interface SeenFields {
  /** Not localised (field V), falling back to S. */
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly routine: string
}

/** Reads the frame that starts at `start` (type byte) and ends before `end`. Missing fields are ''; malformed ends early. */
export function errorFields(buffer: Buffer, start: number, end: number): SeenFields {
  let severity = ''
  let nonLocalised = ''
  let sqlstate = 'XX000'
  let message = ''
  let routine = ''
  let offset = start + 5
  while (offset < end) {
    const field = buffer[offset] ?? 0
    if (field === 0) break
    const stop = buffer.indexOf(0, offset + 1)
    if (stop < 0 || stop >= end) break
    const value = buffer.toString('utf8', offset + 1, stop)
    if (field === 0x53) severity = value
    else if (field === 0x56) nonLocalised = value
    else if (field === 0x43) sqlstate = value
    else if (field === 0x4d) message = value
    else if (field === 0x52) routine = value
    offset = stop + 1
  }
  return { severity: nonLocalised || severity, sqlstate, message, routine }
}

const POSITION = 0x50

/**
 * The frame with its position, counted in characters from 1, moved by `by` when it lies behind `from`: for texts that the proxy
 * has changed there.
 */
export function movedPosition(frame: Buffer, from: number, by: number): Buffer {
  let offset = 5
  while (offset < frame.length && frame[offset] !== 0) {
    const stop = frame.indexOf(0, offset + 1)
    if (stop < 0) return frame
    const position = frame[offset] === POSITION ? Number(frame.toString('latin1', offset + 1, stop)) : 0
    if (position > from) {
      const moved = Buffer.from(String(position + by))
      const out = Buffer.concat([frame.subarray(0, offset + 1), moved, frame.subarray(stop)])
      out.writeUInt32BE(out.length - 1, 1)
      return out
    }
    offset = stop + 1
  }
  return frame
}
