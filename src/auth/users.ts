import { randomBytes } from 'node:crypto'
import type { Config, UserConfig } from '../config/schema.ts'
import { DEFAULT_ITERATIONS, parseVerifier, SALT_BYTES, type Verifier } from '../protocol/scram-verifier.ts'
import { Account } from './account.ts'

/** The admin console's database name, and the one that tools made for PgBouncer use. */
const CONSOLE_NAMES: ReadonlySet<string> = new Set(['shardway', 'pgbouncer'])

interface User {
  readonly config: UserConfig
  readonly account: Account
}

/**
 * Who may come in, by the [[users]] of one configuration. Who is not listed goes through the same exchange as who is, with a
 * verifier that nothing satisfies: neither text nor timing tells them apart.
 */
export class Users {
  readonly #users = new Map<string, User>()
  readonly #seed: Buffer
  /** What unknown users show: the count of the verifiers that are listed. */
  readonly iterations: number

  /**
   * @param seed what salts of plain passwords and of unknown users are made of. Given the same seed all workers show the same
   *   salts; it must stay secret, since who knows it can tell unknown users from known ones.
   */
  constructor(config: Pick<Config, 'users'>, seed: Buffer = randomBytes(SALT_BYTES)) {
    this.#seed = seed
    const verifiers = config.users.flatMap(user => user.password.map(parseVerifier)).filter(one => one !== null)
    this.iterations = verifiers[0]?.iterations ?? DEFAULT_ITERATIONS
    for (const user of config.users) {
      const { name, password: passwords } = user
      const account = new Account({ name, passwords, seed, iterations: this.iterations })
      this.#users.set(name, { config: user, account })
    }
  }

  get(name: string): Account | null {
    return this.#users.get(name)?.account ?? null
  }

  /** True where an unknown user is asked for SCRAM under method "md5", as the listed ones are. */
  get scramOnly(): boolean {
    return [...this.#users.values()].every(({ account }) => account.stored.length > 0)
  }

  /** A stand-in for a user who is not listed. */
  stranger(name: string, iterations: number = this.iterations): Account {
    return new Account({ name, passwords: [], seed: this.#seed, iterations, exists: false })
  }

  /** A user that [auth] query has found. */
  found(name: string, password: string): Account {
    return new Account({ name, passwords: [password], seed: this.#seed, iterations: this.iterations })
  }

  /** Never empty. The first one's salt and iterations are those of the exchange, and all share them. */
  verifiersOf(name: string): readonly Verifier[] {
    return (this.get(name) ?? this.stranger(name)).verifiers
  }

  async warm(): Promise<void> {
    for (const user of this.#users.values()) await user.account.warm()
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
    return this.get(name)?.plain[0] ?? null
  }

  /** Passwords that can never work, for the log and `check`. */
  warnings(method: Config['auth']['method']): readonly string[] {
    const warnings: string[] = []
    for (const [name, { account }] of this.#users) {
      if (account.ignored > 0) {
        const why = 'have another salt or iteration count than the first, and an exchange carries one'
        warnings.push(`user "${name}": ${account.ignored} of its verifiers ${why}`)
      }
      if (method === 'scram-sha-256' && account.hashes.length > 0) {
        warnings.push(`user "${name}": an md5 hash cannot answer for method "scram-sha-256"`)
      }
    }
    return warnings
  }
}

export function isConsole(database: string): boolean {
  return CONSOLE_NAMES.has(database)
}
