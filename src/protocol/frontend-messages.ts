/** Messages that the proxy sends to servers on its own account, as whole frames. */
import {
  BIND,
  CANCEL_REQUEST,
  CLOSE,
  DESCRIBE,
  EXECUTE,
  PARSE,
  PASSWORD,
  PROTOCOL_3_0,
  QUERY,
  SSL_REQUEST,
  SYNC,
} from './codes.ts'

export const sync = Buffer.from([SYNC, 0, 0, 0, 4])

export function query(sql: string): Buffer {
  return typed(QUERY, Buffer.from(`${sql}\0`, 'utf8'))
}

/** The same from the pieces of its text. */
export function queryOf(text: readonly Buffer[]): Buffer {
  return typed(QUERY, Buffer.concat([...text, Buffer.from([0])]))
}

export function password(body: Buffer): Buffer {
  return typed(PASSWORD, body)
}

export function startup(parameters: ReadonlyMap<string, string>): Buffer {
  let text = ''
  for (const [name, value] of parameters) text += `${name}\0${value}\0`
  const body = Buffer.from(`${text}\0`, 'utf8')
  const out = Buffer.allocUnsafe(8 + body.length)
  out.writeInt32BE(out.length, 0)
  out.writeInt32BE(PROTOCOL_3_0, 4)
  body.copy(out, 8)
  return out
}

export const sslRequest = (() => {
  const out = Buffer.alloc(8)
  out.writeInt32BE(8, 0)
  out.writeInt32BE(SSL_REQUEST, 4)
  return out
})()

export function cancelRequest(pid: number, secret: Buffer): Buffer {
  const out = Buffer.allocUnsafe(12 + secret.length)
  out.writeInt32BE(out.length, 0)
  out.writeInt32BE(CANCEL_REQUEST, 4)
  out.writeInt32BE(pid, 8)
  secret.copy(out, 12)
  return out
}

/** Parse, Bind and Execute of one text without parameters on the unnamed statement and portal. No Sync. */
export function parseBindExecute(sql: string): Buffer {
  const parse = typed(PARSE, Buffer.concat([Buffer.from(`\0${sql}\0`, 'utf8'), Buffer.from([0, 0])]))
  return Buffer.concat([parse, bindExecuteUnnamed])
}

const bindExecuteUnnamed = Buffer.concat([typed(BIND, Buffer.alloc(8)), typed(EXECUTE, Buffer.alloc(5))])

/** Describe of the unnamed portal. */
export const describePortal = typed(DESCRIBE, Buffer.from('P\0', 'latin1'))

/** Execute of the unnamed portal without a row limit, and Sync. */
export const executeAndSync = Buffer.concat([typed(EXECUTE, Buffer.alloc(5)), sync])

/** An Execute that must fail (34000): aborts whatever transaction is open, so that the server's state matches a refusal. */
export const poison = typed(EXECUTE, Buffer.from('shardway_refused\0\0\0\0\0', 'latin1'))

/** Parse for `name` built from the client's own Parse body after its name: text, zero byte, parameter types. */
export function parseNamed(name: string, rest: Buffer): Buffer {
  return typed(PARSE, Buffer.concat([Buffer.from(`${name}\0`, 'latin1'), rest]))
}

export function describeStatement(name: string): Buffer {
  return typed(DESCRIBE, Buffer.from(`S${name}\0`, 'latin1'))
}

export function closeStatement(name: string): Buffer {
  return typed(CLOSE, Buffer.from(`S${name}\0`, 'latin1'))
}

/** Where a Bind, or the head of one, lies: `nameStart` to `nameEnd` is its statement's name. */
export interface BindRange {
  readonly buffer: Buffer
  readonly start: number
  readonly nameStart: number
  readonly nameEnd: number
  readonly end: number
  /** Bytes of the message behind `end`, which are sent by themselves. */
  readonly moreBytes: number
}

/** The client's Bind with another statement name. */
export function renameBind({ buffer, start, nameStart, nameEnd, end, moreBytes }: BindRange, name: string): Buffer {
  const length = nameStart - start + name.length + (end - nameEnd)
  const out = Buffer.allocUnsafe(length)
  buffer.copy(out, 0, start, nameStart)
  out.write(name, nameStart - start, 'latin1')
  buffer.copy(out, nameStart - start + name.length, nameEnd, end)
  out.writeInt32BE(length - 1 + moreBytes, 1)
  return out
}

function typed(type: number, body: Buffer): Buffer {
  const out = Buffer.allocUnsafe(5 + body.length)
  out[0] = type
  out.writeInt32BE(4 + body.length, 1)
  body.copy(out, 5)
  return out
}
