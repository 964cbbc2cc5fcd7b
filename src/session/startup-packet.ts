/** The startup packet's parameters. https://www.postgresql.org/docs/current/protocol-message-formats.html */
import { ShardwayError } from '../errors/shardway-error.ts'
import { PASSWORD } from '../protocol/codes.ts'

/** MAX_STARTUP_PACKET_LENGTH of Postgres. */
const MAX_STARTUP_BYTES = 10_000
/** The longest cancel key that protocol 3.2 allows. */
const MAX_CANCEL_KEY_BYTES = 256

/** @throws ShardwayError 08P01 */
export function checkStartupLength(bytes: number): void {
  if (bytes < 8 || bytes > MAX_STARTUP_BYTES) throw violation('invalid length of startup packet')
}

/** Null when the packet cannot hold a key. */
export function readCancelRequest(packet: Buffer): { readonly pid: number; readonly secret: string } | null {
  if (packet.length < 16 || packet.length > 12 + MAX_CANCEL_KEY_BYTES) return null
  return { pid: packet.readInt32BE(8), secret: packet.toString('hex', 12) }
}

export function readParameters(packet: Buffer): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  let offset = 8
  while (offset < packet.length && packet[offset] !== 0) {
    const nameEnd = packet.indexOf(0, offset)
    const valueEnd = nameEnd < 0 ? -1 : packet.indexOf(0, nameEnd + 1)
    if (valueEnd < 0) throw violation('invalid startup packet layout: expected terminator as last byte')
    parameters.set(packet.toString('utf8', offset, nameEnd), packet.toString('utf8', nameEnd + 1, valueEnd))
    offset = valueEnd + 1
  }
  if (offset !== packet.length - 1) throw violation('invalid startup packet layout: expected terminator as last byte')
  return parameters
}

/** PG_MAX_AUTH_TOKEN_LENGTH of Postgres, and the length itself. */
const MAX_PASSWORD_BYTES = 65_539

/** Length of the password or SASL message that the buffer begins with; 0 while it is not all there. Throws for any other. */
export function passwordMessageBytes(buffer: Buffer): number {
  const type = buffer[0]
  if (type === undefined) return 0
  if (type !== PASSWORD) throw violation(`expected password response, got message type ${type}`)
  if (buffer.length < 5) return 0
  const length = buffer.readUInt32BE(1)
  if (length < 4 || length > MAX_PASSWORD_BYTES) throw violation('invalid message length')
  return buffer.length < 1 + length ? 0 : 1 + length
}

export function violation(message: string): ShardwayError {
  return new ShardwayError('protocol_violation', '08P01', message)
}
