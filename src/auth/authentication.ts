/** How a client is let in: which method, which account, and what the login teaches about the way to the servers. */
import { NO_SECRET, passwordSecret, type ServerSecret } from '../../pool/server-secret.ts'
import type { HbaRule } from '../config/hba-file.ts'
import type { Config } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Account } from './account.ts'
import { ClearTextExchange, type Exchange, Md5Exchange, ScramExchange } from './exchange.ts'
import { Hba, type HbaClient, plainAddress } from './hba.ts'
import { ServerSecrets } from './server-secrets.ts'
import type { UserQuery } from './user-query.ts'
import { isConsole, Users } from './users.ts'

export type Method = 'scram-sha-256' | 'md5' | 'plain' | 'cert' | 'trust'

export interface AuthenticationOptions {
  readonly config: Pick<Config, 'auth' | 'users'>
  readonly hba: readonly HbaRule[] | null
  readonly seed: Buffer
  /** Null without [auth] query. */
  readonly query: UserQuery | null
  /** Outlive a reload: sessions of before still open servers. */
  readonly secrets?: ServerSecrets
}

interface Likeness {
  readonly iterations: number
  /** It has a verifier: under method md5 it is asked for SCRAM. */
  readonly scram: boolean
  /** Its verifier is derived at each login. */
  readonly plain: boolean
}

export class Authentication {
  readonly users: Users
  readonly #method: Config['auth']['method']
  readonly #hba: Hba
  readonly #query: UserQuery | null
  readonly secrets: ServerSecrets
  /** What strangers look like where users are looked up on the servers: like the last one that was found there. */
  #likeness: Likeness

  constructor({ config, hba, seed, query, secrets = new ServerSecrets() }: AuthenticationOptions) {
    this.users = new Users(config, seed)
    this.#method = config.auth.method
    this.#hba = new Hba(hba ?? [])
    this.#query = query
    this.secrets = secrets
    this.#likeness = { iterations: this.users.iterations, scram: this.users.scramOnly, plain: false }
  }

  /** @throws ShardwayError where a rule, or the lack of one, shuts the client out. */
  methodFor(client: HbaClient): Method {
    if (this.#method !== 'hba') return this.#method
    const method = this.#hba.methodFor(client)
    const which = `host "${plainAddress(client.address)}", user "${client.user}", database "${client.database}", ${client.tls ? 'TLS' : 'no encryption'}`
    if (method === null) throw new ShardwayError('hba_rejected', '28000', `no pg_hba.conf entry for ${which}`)
    if (method === 'reject')
      throw new ShardwayError('hba_rejected', '28000', `pg_hba.conf rejects connection for ${which}`)
    return method === 'password' ? 'plain' : method
  }

  /**
   * At once where the answer is known; never null: who does not exist gets a stand-in that nothing satisfies.
   * Rejects with 57P03 when the user had to be looked up and could not be.
   */
  account(name: string, database: string): Account | Promise<Account> {
    const listed = this.users.get(name)
    if (listed !== null) return listed
    if (this.#query === null) return this.users.stranger(name)
    return this.#look(name, database, this.#query)
  }

  async #look(name: string, database: string, query: UserQuery): Promise<Account> {
    const secret = await query.find(database, name)
    const account =
      secret === null ? this.users.stranger(name, this.#likeness.iterations) : this.users.found(name, secret)
    if (account.exists) {
      const iterations = account.stored[0]?.iterations ?? this.#likeness.iterations
      this.#likeness = { iterations, scram: account.stored.length > 0, plain: account.plain.length > 0 }
    }
    // The work is the same for both: the time until the client is asked would tell who exists.
    if (this.#likeness.plain) await account.warm()
    return account
  }

  exchange(method: Exclude<Method, 'cert' | 'trust'>, account: Account, endPoint: Buffer | null): Exchange {
    if (method === 'plain') return new ClearTextExchange(account)
    return method === 'md5' && this.#asksMd5(account) ? new Md5Exchange(account) : new ScramExchange(account, endPoint)
  }

  /** As in Postgres, method md5 means SCRAM for who has a verifier. */
  #asksMd5(account: Account): boolean {
    if (account.stored.length > 0) return false
    if (account.plain.length + account.hashes.length > 0) return true
    return this.#query === null || this.users.get(account.name) !== null ? !this.users.scramOnly : !this.#likeness.scram
  }

  admits(account: Account, database: string): boolean {
    if (this.users.get(account.name) !== null) return this.users.mayEnter(account.name, database)
    return account.exists && !isConsole(database)
  }

  succeeded(account: Account, database: string, learnt: ServerSecret): void {
    const hash = account.hashes[0]
    this.secrets.remember(database, account.name, {
      password: account.plain[0] ?? learnt.password,
      md5: hash === undefined ? null : `md5${hash}`,
      scram: learnt.scram,
    })
  }

  failed(name: string, database: string): void {
    this.#query?.forget(database, name)
  }

  /** What the user's own name logs in to a server with. The file's word counts before what an older login taught. */
  serverSecret(database: string, user: string): ServerSecret {
    const plain = this.users.plainPassword(user)
    return plain === null ? (this.secrets.of(database, user) ?? NO_SECRET) : passwordSecret(plain)
  }

  close(): void {
    this.#query?.close()
  }
}
