import { randomBytes } from 'node:crypto'
import { ShardwayError } from '../errors/shardway-error.ts'

/** The name in AuthenticationSASL. https://www.rfc-editor.org/rfc/rfc7677 */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256'
/** With channel binding; offered under TLS only. */
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS'

/** Longer than any honest message (nonce, salt, proof); what is longer is not looked at. */
const MAX_MESSAGE_BYTES = 8192
const NONCE_BYTES = 18

export function malformed(detail: string): ShardwayError {
  return new ShardwayError('protocol_violation', '08P01', 'malformed SCRAM message', { detail })
}

/** Bytes as a latin1 string, so that what is signed is what was received. */
export function messageText(message: Buffer): string {
  if (message.length === 0) throw malformed('The message is empty.')
  if (message.length > MAX_MESSAGE_BYTES) throw malformed('The message is too long.')
  if (message.includes(0)) throw malformed('Message length does not match input length.')
  return message.toString('latin1')
}

/** `x=value` → value. */
export function attribute(part: string | undefined, name: string): string {
  if (part === undefined || !part.startsWith(`${name}=`)) throw malformed(`Expected attribute "${name}".`)
  return part.slice(2)
}

/** Strict base64: Buffer.from skips what it does not know. */
export function fromBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (text === '' || bytes.toString('base64') !== text) throw malformed(`Malformed ${what}.`)
  return bytes
}

/** RFC 5802: printable ASCII without the comma. */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]{1,1024}$/.test(text)
}

export function makeNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}
