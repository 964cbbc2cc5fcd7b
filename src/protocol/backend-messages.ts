/** Messages that the proxy itself answers with, as whole frames. */
import { ShardwayError } from '../errors/shardway-error.ts'
import {
  COMMAND_COMPLETE,
  DATA_ROW,
  ERROR_RESPONSE,
  NOTICE,
  PARAMETER_STATUS,
  READY,
  ROW_DESCRIPTION,
} from './codes.ts'

function constant(type: string): Buffer {
  return Buffer.from([type.charCodeAt(0), 0, 0, 0, 4])
}

export const parseComplete = constant('1')
export const bindComplete = constant('2')
export const closeComplete = constant('3')
export const noData = constant('n')
export const emptyQueryResponse = constant('I')
/** ParameterDescription of no parameters. */
export const noParameters = Buffer.from([0x74, 0, 0, 0, 6, 0, 0])
export const authenticationOk = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])

const readyByStatus = new Map<number, Buffer>()
/** ReadyForQuery with transaction status `I`, `T` or `E` (a byte). */
export function ready(status: number): Buffer {
  let frame = readyByStatus.get(status)
  if (frame === undefined) {
    frame = Buffer.from([READY, 0, 0, 0, 5, status])
    readyByStatus.set(status, frame)
  }
  return frame
}

/** A frame of zero-terminated strings. */
function stringsFrame(type: number, strings: readonly string[]): Buffer {
  const body = Buffer.from(strings.map(text => `${text}\0`).join(''), 'utf8')
  return frame(type, body)
}

export function frame(type: number, body: Buffer): Buffer {
  const out = Buffer.allocUnsafe(5 + body.length)
  out[0] = type
  out.writeInt32BE(4 + body.length, 1)
  body.copy(out, 5)
  return out
}

export function commandComplete(tag: string): Buffer {
  return stringsFrame(COMMAND_COMPLETE, [tag])
}

export function parameterStatus(name: string, value: string): Buffer {
  return stringsFrame(PARAMETER_STATUS, [name, value])
}

export interface ErrorFields {
  readonly severity: string
  readonly sqlstate: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
  /** 1-based character position; 0 for none. */
  readonly position?: number
}

function fieldsFrame(type: number, fields: ErrorFields): Buffer {
  const parts = [`S${fields.severity}`, `V${fields.severity}`, `C${fields.sqlstate}`, `M${fields.message}`]
  if (fields.detail) parts.push(`D${fields.detail}`)
  if (fields.hint) parts.push(`H${fields.hint}`)
  if (fields.position) parts.push(`P${fields.position}`)
  parts.push('')
  return stringsFrame(
    type,
    parts.map(part => part.replaceAll('\0', '')),
  )
}

export function errorResponse(fields: ErrorFields): Buffer {
  return fieldsFrame(ERROR_RESPONSE, fields)
}

export function noticeResponse(fields: ErrorFields): Buffer {
  return fieldsFrame(NOTICE, fields)
}

export function errorOf(error: ShardwayError, severity = 'ERROR'): Buffer {
  return errorResponse({
    severity,
    sqlstate: error.sqlstate,
    message: error.message,
    detail: error.detail,
    hint: error.hint,
    position: error.position,
  })
}

export interface TextColumn {
  readonly name: string
  /** Type OID and its fixed size (-1 variable). */
  readonly oid: number
  readonly size: number
}

export function rowDescription(columns: readonly TextColumn[]): Buffer {
  const parts: Buffer[] = []
  const count = Buffer.alloc(2)
  count.writeInt16BE(columns.length)
  parts.push(count)
  for (const column of columns) {
    const tail = Buffer.alloc(18)
    tail.writeInt32BE(column.oid, 6)
    tail.writeInt16BE(column.size, 10)
    tail.writeInt32BE(-1, 12)
    parts.push(Buffer.from(`${column.name}\0`, 'utf8'), tail)
  }
  return frame(ROW_DESCRIPTION, Buffer.concat(parts))
}

export function dataRow(values: ReadonlyArray<string | null>): Buffer {
  const parts: Buffer[] = []
  const count = Buffer.alloc(2)
  count.writeInt16BE(values.length)
  parts.push(count)
  for (const value of values) {
    const length = Buffer.alloc(4)
    if (value === null) {
      length.writeInt32BE(-1)
      parts.push(length)
      continue
    }
    const bytes = Buffer.from(value, 'utf8')
    length.writeInt32BE(bytes.length)
    parts.push(length, bytes)
  }
  return frame(DATA_ROW, Buffer.concat(parts))
}
