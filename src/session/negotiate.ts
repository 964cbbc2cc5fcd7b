/**
 * Minor versions and protocol options: what is spoken with a client, and the one NegotiateProtocolVersion that says so.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */
import { frame } from '../protocol/backend-messages.ts'
import { NEGOTIATE_VERSION, PROTOCOL_3_2 } from '../protocol/codes.ts'

const OPTION_PREFIX = '_pq_.'
/** Cancel keys: 3.0 knows four bytes only, from 3.2 on they may be longer (MAX_CANCEL_KEY_LENGTH of Postgres 18 sends 32). */
const SHORT_SECRET_BYTES = 4
const LONG_SECRET_BYTES = 32

/** The version spoken with a client that asked for `requested`, a 3.x. */
export function spokenVersion(requested: number): number {
  return Math.min(requested, PROTOCOL_3_2)
}

/** The answer to a newer minor version or to options that are not known; null when there is nothing to say. */
export function negotiation(requested: number, parameterNames: Iterable<string>): Buffer | null {
  const options = [...parameterNames].filter(name => name.startsWith(OPTION_PREFIX))
  const spoken = spokenVersion(requested)
  if (spoken === requested && options.length === 0) return null
  const head = Buffer.alloc(8)
  // The whole version, not its minor part: so Postgres sends it, and libpq compares it.
  head.writeInt32BE(spoken, 0)
  head.writeInt32BE(options.length, 4)
  return frame(NEGOTIATE_VERSION, Buffer.concat([head, Buffer.from(options.map(name => `${name}\0`).join(''))]))
}

export function secretBytes(spoken: number): number {
  return spoken >= PROTOCOL_3_2 ? LONG_SECRET_BYTES : SHORT_SECRET_BYTES
}
