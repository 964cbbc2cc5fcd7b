/** Answers a server's request for authentication, with what is known of the user. */
import tls from 'node:tls'
import type { Socket } from 'node:net'
import {
  type ChannelBinding,
  endPointBinding,
  endPointHash,
  NO_BINDING,
  NOT_OFFERED,
} from '../src/protocol/channel-binding.ts'
import { password as passwordMessage } from '../src/protocol/frontend-messages.ts'
import { md5Password } from '../src/protocol/md5.ts'
import { ScramClient } from '../src/protocol/scram-client.ts'
import { makeNonce, SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../src/protocol/scram-message.ts'
import type { ServerSecret } from './server-secret.ts'

const OK = 0
const CLEAR_TEXT = 3
const MD5 = 5
const SASL = 10
const SASL_CONTINUE = 11
const SASL_FINAL = 12

export class ServerLogin {
  readonly #socket: Socket
  readonly #user: string
  readonly #secret: ServerSecret
  #scram: ScramClient | null = null

  constructor(socket: Socket, user: string, secret: ServerSecret) {
    this.#socket = socket
    this.#user = user
    this.#secret = secret
  }

  /** @param body of an Authentication message. Throws an Error that says why it cannot be answered. */
  async answer(body: Buffer): Promise<void> {
    if (body.length < 4) throw new Error('malformed message during login')
    const request = body.readInt32BE(0)
    const rest = body.subarray(4)
    if (request === OK) {
      // A server that knows no verifier must not get out of proving that it does.
      if (this.#scram !== null && !this.#scram.verified) throw new Error('the server broke off the SCRAM exchange')
    } else if (request === CLEAR_TEXT) this.#clearText()
    else if (request === MD5) this.#md5(rest)
    else if (request === SASL && this.#scram === null) this.#begin(rest)
    else if (request === SASL_CONTINUE && this.#scram !== null) {
      await this.#scram.prepare(rest)
      this.#send(this.#scram.next(rest))
    } else if (request === SASL_FINAL && this.#scram !== null) this.#scram.verify(rest)
    else throw new Error(`the server asks for authentication method ${request}, which is not supported`)
  }

  #clearText(): void {
    const { password } = this.#secret
    if (password === null) throw this.#unknown('a password in clear text')
    this.#send(Buffer.from(`${password}\0`, 'utf8'))
  }

  #md5(salt: Buffer): void {
    if (salt.length !== 4) throw new Error('malformed message during login')
    const secret = this.#secret.password ?? this.#secret.md5
    if (secret === null) throw this.#unknown('an md5 password')
    this.#send(Buffer.from(`${md5Password(this.#user, secret, salt)}\0`, 'latin1'))
  }

  #begin(list: Buffer): void {
    const secret = this.#secret.password ?? this.#secret.scram
    if (secret === null) throw this.#unknown('a SCRAM password')
    const offered = list.toString('latin1').split('\0')
    const endPoint = endPointOf(this.#socket)
    let mechanism = SCRAM_SHA_256
    let binding: ChannelBinding = endPoint === null ? NO_BINDING : NOT_OFFERED
    if (endPoint !== null && offered.includes(SCRAM_SHA_256_PLUS)) {
      mechanism = SCRAM_SHA_256_PLUS
      binding = endPointBinding(endPoint)
    } else if (!offered.includes(SCRAM_SHA_256)) {
      throw new Error('the server offers no SASL mechanism that is supported')
    }
    this.#scram = new ScramClient(secret, makeNonce(), '', binding)
    const first = this.#scram.first()
    const length = Buffer.alloc(4)
    length.writeInt32BE(first.length)
    this.#send(Buffer.concat([Buffer.from(`${mechanism}\0`, 'latin1'), length, first]))
  }

  #send(body: Buffer): void {
    this.#socket.write(passwordMessage(body))
  }

  #unknown(what: string): Error {
    const { password, md5, scram } = this.#secret
    const known = password === null && md5 === null && scram === null ? 'no password' : 'no such secret'
    return new Error(`the server asks for ${what}, and ${known} is known for server user "${this.#user}"`)
  }
}

function endPointOf(socket: Socket): Buffer | null {
  if (!(socket instanceof tls.TLSSocket)) return null
  const certificate = socket.getPeerX509Certificate()
  return certificate === undefined ? null : endPointHash(certificate.raw)
}
