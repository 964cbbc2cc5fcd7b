/** What a server sent, in a form that two servers can be compared by. */

export interface Message {
  readonly type: string
  readonly body: Buffer
}

/** A message as something readable: equal for two servers that behave alike. */
export type Shown = readonly [name: string, ...content: readonly unknown[]]

const NAMES: Readonly<Record<string, string>> = {
  '1': 'ParseComplete',
  '2': 'BindComplete',
  '3': 'CloseComplete',
  A: 'NotificationResponse',
  C: 'CommandComplete',
  D: 'DataRow',
  E: 'ErrorResponse',
  G: 'CopyInResponse',
  H: 'CopyOutResponse',
  I: 'EmptyQueryResponse',
  K: 'BackendKeyData',
  N: 'NoticeResponse',
  R: 'Authentication',
  S: 'ParameterStatus',
  T: 'RowDescription',
  Z: 'ReadyForQuery',
  c: 'CopyDone',
  d: 'CopyData',
  n: 'NoData',
  s: 'PortalSuspended',
  t: 'ParameterDescription',
  v: 'NegotiateProtocolVersion',
}

export interface Column {
  readonly name: string
  readonly table: number
  readonly attribute: number
  readonly type: number
  readonly size: number
  readonly modifier: number
  readonly format: number
}

/** Types made by users have other OIDs on every server: from here on they are compared by `typeName`. */
const FIRST_USER_OID = 16384

export function show(message: Message, typeName: (oid: number) => string = String): Shown {
  const { type, body } = message
  const name = NAMES[type] ?? `unknown message ${JSON.stringify(type)}`
  const typeOf = (oid: number): number | string => (oid < FIRST_USER_OID ? oid : typeName(oid))
  switch (type) {
    case 'T':
      return [
        name,
        columnsOf(message).map(column => ({
          ...column,
          table: column.table === 0 ? 0 : 'a table',
          type: typeOf(column.type),
        })),
      ]
    case 't':
      return [name, Array.from({ length: body.readUInt16BE(0) }, (_, i) => typeOf(body.readUInt32BE(2 + i * 4)))]
    case 'D':
      return [name, valuesOf(message).map(value => (value === null ? null : printable(value)))]
    case 'E':
    case 'N': {
      // Where in Postgres's own source it was said: nothing that an answer of Shardway's could have.
      const { F: _file, L: _line, R: _routine, ...fields } = fieldsOf(message)
      return [name, fields]
    }
    case 'C':
    case 'Z':
    case 'd':
    case 'S':
      return [name, printable(body)]
    case 'K':
      return [name]
    default:
      return body.length === 0 ? [name] : [name, body.toString('hex')]
  }
}

function printable(bytes: Buffer): string {
  const text = bytes.toString('latin1')
  return /^[\x09\x0a\x20-\x7e]*\0?$/.test(text) ? text.replace(/\0$/, '') : `\\x${bytes.toString('hex')}`
}

export function columnsOf({ body }: Message): Column[] {
  const columns: Column[] = []
  let at = 2
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const end = body.indexOf(0, at)
    const name = body.toString('utf8', at, end)
    at = end + 1
    columns.push({
      name,
      table: body.readUInt32BE(at),
      attribute: body.readInt16BE(at + 4),
      type: body.readUInt32BE(at + 6),
      size: body.readInt16BE(at + 10),
      modifier: body.readInt32BE(at + 12),
      format: body.readInt16BE(at + 16),
    })
    at += 18
  }
  return columns
}

export function valuesOf({ body }: Message): Array<Buffer | null> {
  const values: Array<Buffer | null> = []
  let at = 2
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : body.subarray(at, at + length))
    at += Math.max(length, 0)
  }
  return values
}

/** Fields of an ErrorResponse or NoticeResponse by their letter: C sqlstate, M message, H hint, P position ... */
export function fieldsOf({ body }: Message): Record<string, string> {
  const fields: Record<string, string> = {}
  let at = 0
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1)
    fields[String.fromCharCode(body[at] ?? 0)] = body.toString('utf8', at + 1, end)
    at = end + 1
  }
  return fields
}

/** Rows as text. */
export function rowsOf(messages: readonly Message[]): Array<Array<string | null>> {
  return messages
    .filter(message => message.type === 'D')
    .map(message => valuesOf(message).map(value => value?.toString() ?? null))
}

export function tagsOf(messages: readonly Message[]): string[] {
  return messages.filter(message => message.type === 'C').map(({ body }) => body.toString('utf8', 0, body.length - 1))
}

/** The first error's fields, or null. */
export function errorOf(messages: readonly Message[]): Record<string, string> | null {
  const error = messages.find(message => message.type === 'E')
  return error === undefined ? null : fieldsOf(error)
}

/** The status in the last ReadyForQuery: I, T or E; '' when there was none. */
export function statusOf(messages: readonly Message[]): string {
  return messages.findLast(message => message.type === 'Z')?.body.toString() ?? ''
}

/** The first value of a statement's first row. */
export async function valueOf(
  wire: { run(sql: string): Promise<Message[]> },
  sql: string,
): Promise<string | null | undefined> {
  return rowsOf(await wire.run(sql))[0]?.[0]
}
