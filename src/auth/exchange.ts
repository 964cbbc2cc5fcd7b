/** How a client proves who it is: one exchange of messages each. https://www.postgresql.org/docs/current/protocol-flow.html */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { NO_SECRET, type ServerSecret } from '../../pool/server-secret.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { frame } from '../protocol/backend-messages.ts'
import { AUTHENTICATION } from '../protocol/codes.ts'
import { ScramServer } from '../protocol/scram-server.ts'
import { makeNonce } from '../protocol/scram-message.ts'
import type { Account } from './account.ts'

export interface Answer {
  /** What the client is told next. */
  readonly reply: Buffer | null
  readonly verdict: 'more' | 'right' | 'wrong'
  /** What a right answer taught about the way to the servers. */
  readonly secret: ServerSecret
}

export interface Exchange {
  /** What the client is asked first. */
  readonly request: Buffer
  answer(body: Buffer): Answer | Promise<Answer>
}

/** AuthenticationOk's kin, by their number. */
const CLEAR_TEXT = 3
const MD5 = 5
const SASL = 10
const SASL_CONTINUE = 11
const SASL_FINAL = 12

function request(kind: number, rest: Buffer = Buffer.alloc(0)): Buffer {
  const number = Buffer.alloc(4)
  number.writeInt32BE(kind)
  return frame(AUTHENTICATION, Buffer.concat([number, rest]))
}

function violation(message: string): ShardwayError {
  return new ShardwayError('protocol_violation', '08P01', message)
}

/** Bytes up to the one NUL at the end; what is not so is no password message. */
function passwordOf(body: Buffer): Buffer {
  if (body.indexOf(0) !== body.length - 1) throw violation('invalid password packet size')
  return body.subarray(0, -1)
}

export class ScramExchange implements Exchange {
  readonly #server: ScramServer
  #begun = false

  constructor(account: Account, endPoint: Buffer | null) {
    this.#server = new ScramServer(account.verifiers, makeNonce(), endPoint)
  }

  get request(): Buffer {
    return request(SASL, Buffer.from(`${this.#server.mechanisms.join('\0')}\0\0`, 'latin1'))
  }

  answer(body: Buffer): Answer {
    if (!this.#begun) {
      this.#begun = true
      const nameEnd = body.indexOf(0)
      if (nameEnd < 0 || nameEnd + 5 > body.length) throw violation('malformed SASL initial response')
      const length = body.readInt32BE(nameEnd + 1)
      if (length !== body.length - nameEnd - 5) throw violation('malformed SASL initial response')
      const first = this.#server.first(body.subarray(nameEnd + 5), body.toString('latin1', 0, nameEnd))
      return { reply: request(SASL_CONTINUE, first), verdict: 'more', secret: NO_SECRET }
    }
    const final = this.#server.final(body)
    if (final === null) return { reply: null, verdict: 'wrong', secret: NO_SECRET }
    return { reply: request(SASL_FINAL, final), verdict: 'right', secret: { ...NO_SECRET, scram: this.#server.keys } }
  }
}

export class Md5Exchange implements Exchange {
  readonly #account: Account
  readonly #salt = randomBytes(4)

  constructor(account: Account) {
    this.#account = account
  }

  get request(): Buffer {
    return request(MD5, this.#salt)
  }

  answer(body: Buffer): Answer {
    const given = passwordOf(body)
    let verdict: Answer['verdict'] = 'wrong'
    // All of them are tried, whichever is right: the time taken tells nothing.
    for (const digest of this.#account.digests) {
      const expected = Buffer.from(`md5${createHash('md5').update(digest).update(this.#salt).digest('hex')}`)
      if (given.length === expected.length && timingSafeEqual(given, expected)) verdict = 'right'
    }
    return { reply: null, verdict, secret: NO_SECRET }
  }
}

export class ClearTextExchange implements Exchange {
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
  }

  get request(): Buffer {
    return request(CLEAR_TEXT)
  }

  async answer(body: Buffer): Promise<Answer> {
    const password = passwordOf(body).toString('utf8')
    const right = await this.#account.isPassword(password)
    if (!right) return { reply: null, verdict: 'wrong', secret: NO_SECRET }
    return { reply: null, verdict: 'right', secret: { ...NO_SECRET, password } }
  }
}
