import { timingSafeEqual } from 'node:crypto'
import { type ChannelBinding, NO_BINDING } from './channel-binding.ts'
import { attribute, fromBase64, isNonce, makeNonce, malformed, messageText } from './scram-message.ts'
import {
  clientKeyOf,
  hmac,
  saltPassword,
  saltPasswordAsync,
  type ScramKeys,
  serverKeyOf,
  sha256,
  xor,
} from './scram-verifier.ts'

/**
 * The server names the work: without a ceiling a server (or who stands in for it) could keep the process busy for hours, and
 * below the RFC's floor the answer would be a cheap gift to crack.
 */
const MIN_ITERATIONS = 4096
const MAX_ITERATIONS = 1_000_000
const MAX_SALT_BYTES = 1024
const MAX_CACHED_KEYS = 256

interface Keys {
  readonly clientKey: Buffer
  readonly serverKey: Buffer
}

/** Keys of the servers we log in to again and again; PBKDF2 takes milliseconds. Found by a digest of password and salt. */
const cachedKeys = new Map<string, Keys>()

/** The client's side of one SCRAM-SHA-256 exchange, with a Postgres server. https://www.rfc-editor.org/rfc/rfc5802 */
export class ScramClient {
  readonly #secret: string | ScramKeys
  readonly #binding: ChannelBinding
  readonly #nonce: string
  readonly #firstBare: string
  #serverSignature: Buffer | null = null
  #verified = false

  /**
   * @param secret the password, or keys that another login with the same verifier has given.
   * @param user what Postgres ignores in favour of the startup packet's; only other servers look at it.
   */
  constructor(
    secret: string | ScramKeys,
    nonce: string = makeNonce(),
    user = '',
    binding: ChannelBinding = NO_BINDING,
  ) {
    this.#secret = secret
    this.#binding = binding
    this.#nonce = nonce
    this.#firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  }

  /** client-first-message. */
  first(): Buffer {
    return Buffer.from(`${this.#binding.header}${this.#firstBare}`)
  }

  /** Derives what `next` needs ahead, off the event loop: the server names the work. */
  async prepare(serverFirst: Buffer): Promise<void> {
    const { salt, iterations } = this.#read(serverFirst)
    const secret = this.#secret
    if (typeof secret !== 'string' || cachedKeys.has(cacheName(secret, salt, iterations))) return
    keep(cacheName(secret, salt, iterations), await saltPasswordAsync(secret, salt, iterations))
  }

  /** server-first-message → client-final-message. */
  next(serverFirst: Buffer): Buffer {
    const { text, nonce, salt, iterations } = this.#read(serverFirst)
    const { clientKey, serverKey } = this.#keys(salt, iterations)
    const withoutProof = `c=${this.#bindingInput()},r=${nonce}`
    const authMessage = `${Buffer.from(this.#firstBare).toString('latin1')},${text},${withoutProof}`
    const proof = xor(clientKey, hmac(sha256(clientKey), authMessage))
    this.#serverSignature = hmac(serverKey, authMessage)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`, 'latin1')
  }

  /** True once the server has proved that it knows the password too. */
  get verified(): boolean {
    return this.#verified
  }

  /** server-final-message: throws unless the server proves that it knows the password too. */
  verify(serverFinal: Buffer): void {
    const expected = this.#serverSignature
    if (expected === null) throw malformed('The exchange is not at its end.')
    const text = messageText(serverFinal)
    if (text.startsWith('e=')) throw malformed('The server ended the exchange with an error.')
    const signature = fromBase64(attribute(text.split(',')[0], 'v'), 'server signature')
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw malformed('The server signature is wrong: the server does not know the password.')
    }
    this.#verified = true
  }

  #read(serverFirst: Buffer): { text: string; nonce: string; salt: Buffer; iterations: number } {
    const text = messageText(serverFirst)
    const parts = text.split(',')
    const nonce = attribute(parts[0], 'r')
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length || !isNonce(nonce)) {
      throw malformed('The server did not extend the nonce.')
    }
    const salt = fromBase64(attribute(parts[1], 's'), 'salt')
    if (salt.length > MAX_SALT_BYTES) throw malformed('The salt is too long.')
    const count = attribute(parts[2], 'i')
    if (!/^[1-9][0-9]{0,9}$/.test(count)) throw malformed('Malformed iteration count.')
    const iterations = Number(count)
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
      throw malformed(`The iteration count ${count} is not between ${MIN_ITERATIONS} and ${MAX_ITERATIONS}.`)
    }
    return { text, nonce, salt, iterations }
  }

  #keys(salt: Buffer, iterations: number): Keys {
    const secret = this.#secret
    if (typeof secret === 'string') {
      const name = cacheName(secret, salt, iterations)
      return cachedKeys.get(name) ?? keep(name, saltPassword(secret, salt, iterations))
    }
    // A proof made with them would only be called a wrong password, and lead astray.
    if (secret.iterations !== iterations || !secret.salt.equals(salt)) throw new OtherVerifier()
    return secret
  }

  #bindingInput(): string {
    return Buffer.concat([Buffer.from(this.#binding.header), this.#binding.data]).toString('base64')
  }
}

/** SCRAM pass-through needs the identical verifier on both sides. */
export class OtherVerifier extends Error {
  constructor() {
    super('the server holds another SCRAM verifier of the user than the one that the client logged in by')
    this.name = 'OtherVerifier'
  }
}

function cacheName(password: string, salt: Buffer, iterations: number): string {
  return sha256(Buffer.from(JSON.stringify([password, salt.toString('base64'), iterations]))).toString('base64')
}

function keep(name: string, salted: Buffer): Keys {
  const keys = { clientKey: clientKeyOf(salted), serverKey: serverKeyOf(salted) }
  if (cachedKeys.size >= MAX_CACHED_KEYS) {
    const oldest = cachedKeys.keys().next().value
    if (oldest !== undefined) cachedKeys.delete(oldest)
  }
  cachedKeys.set(name, keys)
  return keys
}
