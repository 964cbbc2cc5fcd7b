/** What is known of one user's passwords, or of a user who does not exist: both are gone through in the same way. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import {
  DEFAULT_ITERATIONS,
  makeVerifier,
  makeVerifierAsync,
  mockVerifier,
  parseVerifier,
  saltOf,
  type Verifier,
} from '../protocol/scram-verifier.ts'

const MD5_HASH = /^md5[0-9a-f]{32}$/

export interface AccountOptions {
  readonly name: string
  /** Plain passwords, SCRAM verifiers, md5 hashes; none of an account that must not be entered. */
  readonly passwords: readonly string[]
  /** What salts of plain passwords and of unknown users are made of. */
  readonly seed: Buffer
  /** Of plain passwords and unknown users: those that most others show. */
  readonly iterations?: number
  /** False: nobody has this name. */
  readonly exists?: boolean
}

export class Account {
  readonly name: string
  readonly exists: boolean
  readonly plain: readonly string[]
  readonly stored: readonly Verifier[]
  /** Hexadecimal digests of password and name, without "md5". */
  readonly hashes: readonly string[]
  readonly #seed: Buffer
  readonly #iterations: number
  /** Derived at the first login, then kept: PBKDF2 takes milliseconds. */
  #verifiers: readonly Verifier[] | null = null

  constructor({ name, passwords, seed, iterations = DEFAULT_ITERATIONS, exists = true }: AccountOptions) {
    const plain: string[] = []
    const stored: Verifier[] = []
    const hashes: string[] = []
    for (const password of passwords) {
      const verifier = parseVerifier(password)
      if (verifier !== null) stored.push(verifier)
      else if (MD5_HASH.test(password)) hashes.push(password.slice(3))
      // As in Postgres, an empty password lets nobody in.
      else if (password !== '') plain.push(password)
    }
    this.name = name
    this.exists = exists
    this.plain = plain
    this.stored = stored
    this.hashes = hashes
    this.#seed = seed
    this.#iterations = iterations
  }

  /** Never empty. The first one's salt and iterations are those of the exchange, and all share them. */
  get verifiers(): readonly Verifier[] {
    if (this.#verifiers !== null) return this.#verifiers
    const { salt, iterations } = this.#terms()
    const derived = this.plain.map(password => makeVerifier(password, iterations, salt))
    return this.#keep(derived)
  }

  /**
   * Derives all verifiers ahead, off the event loop: otherwise a user's first login takes visibly longer than a stranger's.
   * For a stranger the same work is done, for nothing.
   */
  async warm(): Promise<void> {
    const { salt, iterations } = this.#terms()
    if (!this.exists) return void (await makeVerifierAsync('', iterations, salt))
    if (this.#verifiers !== null || this.plain.length === 0) return
    const derived: Verifier[] = []
    for (const password of this.plain) derived.push(await makeVerifierAsync(password, iterations, salt))
    if (this.#verifiers === null) this.#keep(derived)
  }

  /** Verifiers that can never be right: an exchange carries one salt, the first verifier's. */
  get ignored(): number {
    return this.stored.length - usable(this.stored).length
  }

  /** What md5 answers are checked against; never empty. */
  get digests(): readonly string[] {
    const digests = [...this.hashes, ...this.plain.map(password => md5Digest(password, this.name))]
    if (digests.length > 0) return digests
    return [createHmac('md5', this.#seed).update(`md5 ${this.name}`).digest('hex')]
  }

  /** A password in clear text. The same work is done for who does not exist. */
  async isPassword(password: string): Promise<boolean> {
    const first = this.verifiers[0]
    const tried = first === undefined ? [] : [...this.verifiers, ...this.stored.filter(one => !sameTerms(one, first))]
    const derived = new Map<string, Verifier>()
    let right = false
    for (const { salt, iterations, storedKey } of tried) {
      const terms = `${iterations}:${salt.toString('base64')}`
      let made = derived.get(terms)
      if (made === undefined) {
        made = await makeVerifierAsync(password, iterations, salt)
        derived.set(terms, made)
      }
      if (timingSafeEqual(made.storedKey, storedKey)) right = true
    }
    const digest = Buffer.from(md5Digest(password, this.name))
    for (const hash of this.hashes) if (timingSafeEqual(digest, Buffer.from(hash))) right = true
    return right && password !== ''
  }

  #keep(derived: readonly Verifier[]): readonly Verifier[] {
    const all = [...usable(this.stored), ...derived]
    this.#verifiers = all.length > 0 ? all : [mockVerifier(this.name, this.#seed, this.#iterations)]
    return this.#verifiers
  }

  /** Plain passwords take the terms of a stored verifier beside them, so that one exchange serves both. */
  #terms(): Pick<Verifier, 'salt' | 'iterations'> {
    return this.stored[0] ?? { salt: saltOf(this.name, this.#seed), iterations: this.#iterations }
  }
}

function md5Digest(password: string, name: string): string {
  return createHash('md5')
    .update(password + name)
    .digest('hex')
}

function sameTerms(one: Verifier, other: Verifier): boolean {
  return one.iterations === other.iterations && one.salt.equals(other.salt)
}

function usable(stored: readonly Verifier[]): readonly Verifier[] {
  const first = stored[0]
  return first === undefined ? stored : stored.filter(verifier => sameTerms(verifier, first))
}
