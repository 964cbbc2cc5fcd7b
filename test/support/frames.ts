/** Messages of a client, as bytes: for tests that say exactly what goes over the wire. */

function typed(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value & 0xffff)
  return bytes
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`)

/** A parameter: text as a string, binary as bytes. */
export type Parameter = string | Buffer | null

export interface BindOptions {
  portal?: string
  statement?: string
  parameters?: readonly Parameter[]
  /** Result formats: 0 text, 1 binary; one for all or one per column. */
  results?: readonly number[]
}

export const frames = {
  raw: typed,
  query: (sql: string): Buffer => typed('Q', text(sql)),
  parse: (sql: string, name = '', types: readonly number[] = []): Buffer =>
    typed('P', text(name), text(sql), int16(types.length), ...types.map(int32)),
  bind: ({ portal = '', statement = '', parameters = [], results = [] }: BindOptions = {}): Buffer => {
    const formats = parameters.map(parameter => (Buffer.isBuffer(parameter) ? 1 : 0))
    const values = parameters.flatMap(parameter => {
      if (parameter === null) return [int32(-1)]
      const bytes = Buffer.isBuffer(parameter) ? parameter : Buffer.from(parameter)
      return [int32(bytes.length), bytes]
    })
    return typed(
      'B',
      text(portal),
      text(statement),
      int16(formats.length),
      ...formats.map(int16),
      int16(parameters.length),
      ...values,
      int16(results.length),
      ...results.map(int16),
    )
  },
  describeStatement: (name = ''): Buffer => typed('D', Buffer.from('S'), text(name)),
  describePortal: (name = ''): Buffer => typed('D', Buffer.from('P'), text(name)),
  execute: (portal = '', maxRows = 0): Buffer => typed('E', text(portal), int32(maxRows)),
  closeStatement: (name = ''): Buffer => typed('C', Buffer.from('S'), text(name)),
  closePortal: (name = ''): Buffer => typed('C', Buffer.from('P'), text(name)),
  sync: typed('S'),
  flush: typed('H'),
  terminate: typed('X'),
  copyData: (data: string | Buffer): Buffer => typed('d', Buffer.from(data)),
  copyDone: typed('c'),
  copyFail: (reason: string): Buffer => typed('f', text(reason)),
  password: (body: string | Buffer): Buffer => typed('p', Buffer.from(body)),
  startup: (parameters: Readonly<Record<string, string>>, protocol = 196608): Buffer => {
    const body = Buffer.concat([
      int32(protocol),
      ...Object.entries(parameters).flatMap(([name, value]) => [text(name), text(value)]),
      Buffer.from([0]),
    ])
    return Buffer.concat([int32(body.length + 4), body])
  },
  sslRequest: Buffer.concat([int32(8), int32(80877103)]),
  gssRequest: Buffer.concat([int32(8), int32(80877104)]),
  cancel: (pid: number, secret: Buffer): Buffer =>
    Buffer.concat([int32(12 + secret.length), int32(80877102), int32(pid), secret]),
  int32,
}

/** Binary forms of parameters. */
export const binary = {
  int2: (value: number): Buffer => int16(value),
  int4: (value: number): Buffer => int32(value),
  int8: (value: bigint | number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(value))
    return bytes
  },
  text: (value: string): Buffer => Buffer.from(value),
  uuid: (value: string): Buffer => Buffer.from(value.replaceAll('-', ''), 'hex'),
}

export const oids = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, varchar: 1043, uuid: 2950 } as const
