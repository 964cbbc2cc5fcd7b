import { randomBytes } from 'node:crypto'
import type { Config, UserConfig } from '../config/schema.ts'
import {
  DEFAULT_ITERATIONS,
  makeVerifier,
  makeVerifierAsync,
  mockVerifier,
  parseVerifier,
  SALT_BYTES,
  saltOf,
  type Verifier,
} from '../protocol/scram-verifier.ts'

/** The admin console's database name, and the one that tools made for PgBouncer use. */
const CONSOLE_NAMES: ReadonlySet<string> = new Set(['shardway', 'pgbouncer'])

interface User {
  readonly config: UserConfig
  readonly plain: readonly string[]
  readonly stored: readonly Verifier[]
  /** Derived at the first login, then kept: PBKDF2 takes milliseconds. */
  verifiers: readonly Verifier[] | null
}

/**
 * Who may come in, by the [[users]] of one configuration. Who is not listed goes through the same exchange as who is, with a
 * verifier that nothing satisfies: neither text nor timing tells them apart.
 */
export class Users {
  readonly #users = new Map<string, User>()
  readonly #seed: Buffer

  /**
   * @param seed what salts of plain passwords and of unknown users are made of. Given the same seed all workers show the same
   *   salts; it must stay secret, since who knows it can tell unknown users from known ones.
   */
  constructor(config: Pick<Config, 'users'>, seed: Buffer = randomBytes(SALT_BYTES)) {
    this.#seed = seed
    for (const user of config.users) {
      const plain: string[] = []
      const stored: Verifier[] = []
      for (const password of user.password) {
        const verifier = parseVerifier(password)
        if (verifier !== null) stored.push(verifier)
        // As in Postgres, an empty password lets nobody in.
        else if (password !== '') plain.push(password)
      }
      this.#users.set(user.name, { config: user, plain, stored, verifiers: null })
    }
  }

  /** Never empty. The first one's salt and iterations are those of the exchange, and all share them. */
  verifiersOf(name: string): readonly Verifier[] {
    const user = this.#users.get(name)
    if (user === undefined || (user.plain.length === 0 && user.stored.length === 0)) {
      return [mockVerifier(name, this.#seed)]
    }
    if (user.verifiers === null) {
      const { salt, iterations } = this.#terms(user)
      const derived = user.plain.map(password => makeVerifier(password, iterations, salt))
      user.verifiers = [...usable(user.stored), ...derived]
    }
    return user.verifiers
  }

  /** Derives all verifiers ahead, off the event loop: otherwise a user's first login takes visibly longer than a stranger's. */
  async warm(): Promise<void> {
    for (const user of this.#users.values()) {
      if (user.verifiers !== null || user.plain.length === 0) continue
      const { salt, iterations } = this.#terms(user)
      const derived: Verifier[] = []
      for (const password of user.plain) derived.push(await makeVerifierAsync(password, iterations, salt))
      user.verifiers = [...usable(user.stored), ...derived]
    }
  }

  /** The admin console is entered by admins and stats users, whatever their databases. */
  mayEnter(name: string, database: string): boolean {
    const user = this.#users.get(name)
    if (user === undefined) return false
    if (CONSOLE_NAMES.has(database)) return user.config.admin || user.config.stats
    return user.config.databases === undefined || user.config.databases.includes(database)
  }

  isAdmin(name: string): boolean {
    return this.#users.get(name)?.config.admin ?? false
  }

  isStats(name: string): boolean {
    return this.#users.get(name)?.config.stats ?? false
  }

  /** What the user logs in to servers with where the database has no server_user; null when only verifiers are known. */
  plainPassword(name: string): string | null {
    return this.#users.get(name)?.plain[0] ?? null
  }

  /** Passwords that can never work, for the log and `check`: an exchange carries one salt, the first verifier's. */
  warnings(): readonly string[] {
    const warnings: string[] = []
    for (const [name, user] of this.#users) {
      const ignored = user.stored.length - usable(user.stored).length
      if (ignored > 0) {
        warnings.push(`user "${name}": ${ignored} of its verifiers have another salt or iteration count than the first`)
      }
    }
    return warnings
  }

  /** Plain passwords take the terms of a stored verifier beside them, so that one exchange serves both. */
  #terms(user: User): { salt: Buffer; iterations: number } {
    const first = user.stored[0]
    if (first !== undefined) return first
    return { salt: saltOf(user.config.name, this.#seed), iterations: DEFAULT_ITERATIONS }
  }
}

function usable(stored: readonly Verifier[]): readonly Verifier[] {
  const first = stored[0]
  if (first === undefined) return stored
  return stored.filter(verifier => verifier.iterations === first.iterations && verifier.salt.equals(first.salt))
}
