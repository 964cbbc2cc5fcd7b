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
