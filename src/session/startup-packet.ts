/** The startup packet's parameters. https://www.postgresql.org/docs/current/protocol-message-formats.html */
import { ShardwayError } from '../errors/shardway-error.ts'

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

export function violation(message: string): ShardwayError {
  return new ShardwayError('protocol_violation', '08P01', message)
}
