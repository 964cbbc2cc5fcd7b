import { timingSafeEqual } from 'node:crypto'
import { ShardwayError } from '../errors/shardway-error.ts'
import { PLUS_HEADER } from './channel-binding.ts'
import {
  attribute,
  fromBase64,
  isNonce,
  makeNonce,
  malformed,
  messageText,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
} from './scram-message.ts'
import { hmac, KEY_BYTES, type ScramKeys, sha256, type Verifier, xor } from './scram-verifier.ts'

const NO_CHANNEL_BINDING =
  'Channel binding needs TLS, and a certificate here whose signature names a hash: use channel_binding=prefer.'

/** The server's side of one SCRAM-SHA-256 exchange, with a client. https://www.rfc-editor.org/rfc/rfc5802 */
export class ScramServer {
  readonly #verifiers: readonly Verifier[]
  readonly #serverNonce: string
  readonly #endPoint: Buffer | null
  #header = ''
  #nonce = ''
  #firstBare = ''
  #serverFirst = ''
  #keys: ScramKeys | null = null

  /**
   * @param verifiers one for each password that is right. The exchange carries one salt and one iteration count: those of the
   *   first; verifiers that have others take no part.
   * @param endPoint tls-server-end-point of our certificate; null: no channel binding is offered.
   */
  constructor(verifiers: readonly Verifier[], nonce: string = makeNonce(), endPoint: Buffer | null = null) {
    const first = verifiers[0]
    if (first === undefined) throw new TypeError('ScramServer needs a verifier')
    this.#verifiers = verifiers.filter(
      verifier => verifier.iterations === first.iterations && verifier.salt.equals(first.salt),
    )
    this.#serverNonce = nonce
    this.#endPoint = endPoint
  }

  /** Names for AuthenticationSASL, the better one first. */
  get mechanisms(): readonly string[] {
    return this.#endPoint === null ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256]
  }

  /** What logs in to a server with the same verifier; null until `final` found the password right. */
  get keys(): ScramKeys | null {
    return this.#keys
  }

  /** client-first-message → server-first-message. */
  first(clientFirst: Buffer, mechanism: string = SCRAM_SHA_256): Buffer {
    if (this.#serverFirst !== '') throw malformed('The exchange has begun already.')
    if (!this.mechanisms.includes(mechanism)) {
      throw new ShardwayError('protocol_violation', '08P01', 'client selected an invalid SASL mechanism')
    }
    const text = messageText(clientFirst)
    this.#checkFlag(text, mechanism === SCRAM_SHA_256_PLUS)
    const flagEnd = text.indexOf(',')
    const headerEnd = text.indexOf(',', flagEnd + 1)
    if (flagEnd < 0 || headerEnd < 0) throw malformed('Comma expected.')
    if (headerEnd !== flagEnd + 1) {
      throw new ShardwayError('protocol_violation', '08P01', 'a SCRAM authorization identity is not supported')
    }
    this.#header = text.slice(0, headerEnd + 1)
    this.#firstBare = text.slice(headerEnd + 1)
    if (this.#firstBare.startsWith('m=')) {
      throw new ShardwayError('protocol_violation', '08P01', 'client requires an unsupported SCRAM extension')
    }
    const parts = this.#firstBare.split(',')
    // The name in the startup packet counts, as in Postgres; this one is only checked for its shape.
    attribute(parts[0], 'n')
    const clientNonce = attribute(parts[1], 'r')
    if (!isNonce(clientNonce)) throw malformed('Non-printable characters in SCRAM nonce.')

    const verifier = this.#first
    this.#nonce = clientNonce + this.#serverNonce
    this.#serverFirst = `r=${this.#nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`
    return Buffer.from(this.#serverFirst, 'latin1')
  }

  /** client-final-message → server-final-message, or null when the password is wrong. */
  final(clientFinal: Buffer): Buffer | null {
    if (this.#serverFirst === '') throw malformed('The exchange has not begun.')
    const text = messageText(clientFinal)
    const proofStart = text.lastIndexOf(',p=')
    if (proofStart < 0) throw malformed('Expected attribute "p".')
    const withoutProof = text.slice(0, proofStart)
    const proof = fromBase64(text.slice(proofStart + 3), 'proof')
    if (proof.length !== KEY_BYTES) throw malformed('Malformed proof.')
    const parts = withoutProof.split(',')
    const binding = fromBase64(attribute(parts[0], 'c'), 'channel binding')
    if (!same(binding, this.#bindingInput())) {
      if (this.#header === PLUS_HEADER) {
        throw new ShardwayError('channel_binding', '28000', 'SCRAM channel binding check failed')
      }
      throw malformed('Unexpected channel-binding attribute.')
    }
    const nonce = attribute(parts[1], 'r')
    if (!same(Buffer.from(nonce, 'latin1'), Buffer.from(this.#nonce, 'latin1')))
      throw malformed('Nonce does not match.')

    const authMessage = `${this.#firstBare},${this.#serverFirst},${withoutProof}`
    // All of them are tried, whichever is right: the time taken tells nothing.
    for (const verifier of this.#verifiers) {
      const clientKey = xor(proof, hmac(verifier.storedKey, authMessage))
      if (!same(sha256(clientKey), verifier.storedKey)) continue
      const { serverKey, salt, iterations } = verifier
      this.#keys = { clientKey, serverKey, salt, iterations }
    }
    if (this.#keys === null) return null
    return Buffer.from(`v=${hmac(this.#keys.serverKey, authMessage).toString('base64')}`, 'latin1')
  }

  #checkFlag(text: string, plus: boolean): void {
    if (text.startsWith('p=')) {
      if (this.#endPoint === null || !plus) {
        throw new ShardwayError('protocol_violation', '08P01', 'channel binding is not supported', {
          hint: NO_CHANNEL_BINDING,
        })
      }
      if (!text.startsWith(PLUS_HEADER.slice(0, -1))) {
        throw new ShardwayError('protocol_violation', '08P01', 'unsupported SCRAM channel-binding type')
      }
      return
    }
    if (!text.startsWith('n,') && !text.startsWith('y,')) throw malformed('Unexpected channel-binding flag.')
    if (plus)
      throw malformed('The client selected SCRAM-SHA-256-PLUS, but the message does not include channel binding data.')
    // Somebody between took the better mechanism out of the list.
    if (text.startsWith('y,') && this.#endPoint !== null) {
      throw new ShardwayError('channel_binding', '28000', 'SCRAM channel binding negotiation error', {
        detail: 'The client supports SCRAM channel binding but thinks the server does not. However, this server does.',
      })
    }
  }

  #bindingInput(): Buffer {
    const header = Buffer.from(this.#header, 'latin1')
    return this.#header === PLUS_HEADER && this.#endPoint !== null ? Buffer.concat([header, this.#endPoint]) : header
  }

  get #first(): Verifier {
    const first = this.#verifiers[0]
    if (first === undefined) throw new TypeError('ScramServer needs a verifier')
    return first
  }
}

function same(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}
