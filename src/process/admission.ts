/**
 * Which clients may enter: max_db_client_connections, max_user_client_connections and DISABLE, over all workers. Counts
 * only; the console is never counted.
 */
import type { ConnectionLimits } from '../config/pool-settings.ts'
import type { Refusal } from './messages.ts'

interface Client {
  readonly worker: number
  readonly database: string
  readonly user: string
}

type Limits = Pick<ConnectionLimits, 'databaseClients' | 'userClients'>

export class Admission {
  readonly #limitsOf: (database: string, user: string) => Limits
  readonly #clients = new Map<number, Client>()
  readonly #databases = new Map<string, number>()
  readonly #users = new Map<string, number>()

  constructor(limitsOf: (database: string, user: string) => Limits) {
    this.#limitsOf = limitsOf
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Null: it is in, and counted until it leaves. */
  enter(id: number, client: Client): Refusal | null {
    const { databaseClients, userClients } = this.#limitsOf(client.database, client.user)
    if (databaseClients > 0 && (this.#databases.get(client.database) ?? 0) >= databaseClients) {
      return 'max_db_client_connections'
    }
    if (userClients > 0 && (this.#users.get(client.user) ?? 0) >= userClients) return 'max_user_client_connections'
    this.#clients.set(id, client)
    add(this.#databases, client.database, 1)
    add(this.#users, client.user, 1)
    return null
  }

  leave(id: number): void {
    const client = this.#clients.get(id)
    if (client === undefined) return
    this.#clients.delete(id)
    add(this.#databases, client.database, -1)
    add(this.#users, client.user, -1)
  }

  workerGone(worker: number): void {
    for (const [id, client] of this.#clients) if (client.worker === worker) this.leave(id)
  }
}

function add(counts: Map<string, number>, name: string, more: number): void {
  const count = (counts.get(name) ?? 0) + more
  if (count === 0) counts.delete(name)
  else counts.set(name, count)
}
