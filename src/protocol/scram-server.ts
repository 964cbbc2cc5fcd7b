import { timingSafeEqual } from 'node:crypto'
import { ShardwayError } from '../errors/shardway-error.ts'
import { attribute, fromBase64, isNonce, makeNonce, malformed, messageText } from './scram-message.ts'
import { hmac, KEY_BYTES, sha256, type Verifier, xor } from './scram-verifier.ts'

const NO_CHANNEL_BINDING = 'Channel binding is not offered here: use channel_binding=prefer or disable.'

/** The server's side of one SCRAM-SHA-256 exchange, with a client. https://www.rfc-editor.org/rfc/rfc5802 */
export class ScramServer {
  readonly #verifiers: readonly Verifier[]
  readonly #serverNonce: string
  #header = ''
  #nonce = ''
  #firstBare = ''
  #serverFirst = ''

  /**
   * @param verifiers one for each password that is right. The exchange carries one salt and one iteration count: those of the
   *   first; verifiers that have others take no part.
   */
  constructor(verifiers: readonly Verifier[], nonce: string = makeNonce()) {
    const first = verifiers[0]
    if (first === undefined) throw new TypeError('ScramServer needs a verifier')
    this.#verifiers = verifiers.filter(
      verifier => verifier.iterations === first.iterations && verifier.salt.equals(first.salt),
    )
    this.#serverNonce = nonce
  }

  /** client-first-message → server-first-message. */
  first(clientFirst: Buffer): Buffer {
    if (this.#serverFirst !== '') throw malformed('The exchange has begun already.')
    const text = messageText(clientFirst)
    if (text.startsWith('p=')) {
      throw new ShardwayError('protocol_violation', '08P01', 'channel binding is not supported', {
        hint: NO_CHANNEL_BINDING,
      })
    }
    if (!text.startsWith('n,') && !text.startsWith('y,')) throw malformed('Unexpected channel-binding flag.')
    const headerEnd = text.indexOf(',', 2)
    if (headerEnd < 0) throw malformed('Comma expected.')
    if (headerEnd !== 2) {
      throw new ShardwayError('protocol_violation', '08P01', 'a SCRAM authorization identity is not supported')
    }
    this.#header = text.slice(0, 3)
    this.#firstBare = text.slice(3)
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
    if (!same(binding, Buffer.from(this.#header, 'latin1'))) throw malformed('Unexpected channel-binding attribute.')
    const nonce = attribute(parts[1], 'r')
    if (!same(Buffer.from(nonce, 'latin1'), Buffer.from(this.#nonce, 'latin1')))
      throw malformed('Nonce does not match.')

    const authMessage = `${this.#firstBare},${this.#serverFirst},${withoutProof}`
    // All of them are tried, whichever is right: the time taken tells nothing.
    let serverKey: Buffer | null = null
    for (const verifier of this.#verifiers) {
      const clientKey = xor(proof, hmac(verifier.storedKey, authMessage))
      if (same(sha256(clientKey), verifier.storedKey)) serverKey = verifier.serverKey
    }
    if (serverKey === null) return null
    return Buffer.from(`v=${hmac(serverKey, authMessage).toString('base64')}`, 'latin1')
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
