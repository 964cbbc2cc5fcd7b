/** One application of the soak: random transactions by one key, over connections that come and go. */
import { Client, DatabaseError } from 'pg'
import type { Socket } from 'node:net'
import type { Ledger, Outcome } from './ledger.ts'
import type { Random } from '../support/random.ts'

export const KEYS = 500

export interface Counts {
  transactions: number
  reads: number
  connections: number
  refusedConnections: number
  abandoned: number
  errors: Map<string, number>
}

export interface SoakClientOptions {
  readonly url: string
  readonly ledger: Ledger
  readonly random: Random
  readonly nextOp: () => number
  readonly counts: Counts
  /** Reads that did not see an acknowledged write. */
  readonly stale: string[]
}

/** What became of a step that failed. */
function sqlstateOf(error: unknown): string {
  if (error instanceof DatabaseError && error.code !== undefined) return error.code
  return 'connection lost'
}

export class SoakClient {
  readonly #options: SoakClientOptions
  #client: Client | null = null

  constructor(options: SoakClientOptions) {
    this.#options = options
  }

  async run(stopped: () => boolean): Promise<void> {
    const { random, counts } = this.#options
    while (!stopped()) {
      const client = this.#client ?? (await this.#connect())
      if (client === null) continue
      counts.transactions += 1
      const kind = random.next()
      if (kind < 0.35) await this.#autocommit(client)
      else if (kind < 0.7) await this.#transaction(client)
      else await this.#readBack(client)
      if (random.chance(0.03)) await this.#leave()
    }
    await this.#leave()
  }

  async #connect(): Promise<Client | null> {
    const { url, counts } = this.#options
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000, query_timeout: 30_000 })
    // A worker that is killed ends its connections; the statement under way hears of it as well.
    client.on('error', () => {
      if (this.#client === client) this.#client = null
    })
    try {
      await client.connect()
    } catch (error) {
      counts.refusedConnections += 1
      this.#note(error)
      socketOf(client).destroy()
      return null
    }
    counts.connections += 1
    this.#client = client
    return client
  }

  async #leave(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => {})
  }

  /** One statement that writes entry and account together. */
  async #autocommit(client: Client): Promise<void> {
    const { op, key } = this.#choose()
    const sql = `WITH entry AS (INSERT INTO soak_entries (key, op) VALUES ($1, $2) RETURNING key)
      UPDATE soak_accounts SET value = value + 1 WHERE key = $1`
    try {
      await client.query(sql, [key, op])
      this.#record(op, key, 'acknowledged')
    } catch (error) {
      this.#record(op, key, this.#afterCommitWasSent(client, error))
    }
  }

  async #transaction(client: Client): Promise<void> {
    const { random, counts } = this.#options
    const { op, key } = this.#choose()
    const ending = random.next()
    try {
      await client.query('BEGIN')
      await client.query('UPDATE soak_accounts SET value = value + 1 WHERE key = $1', [key])
      if (ending < 0.05) {
        // The application dies in the middle of its transaction.
        counts.abandoned += 1
        this.#client = null
        socketOf(client).destroy()
        this.#record(op, key, 'failed')
        return
      }
      await client.query({
        name: 'entry',
        text: 'INSERT INTO soak_entries (key, op) VALUES ($1, $2)',
        values: [key, op],
      })
      if (ending < 0.1) await client.query('SELECT 1 / (value - value) FROM soak_accounts WHERE key = $1', [key])
      if (ending < 0.2) {
        await client.query('ROLLBACK')
        this.#record(op, key, 'failed')
        return
      }
    } catch (error) {
      this.#record(op, key, 'failed')
      this.#note(error)
      if (sqlstateOf(error) === 'connection lost') this.#drop(client)
      else await client.query('ROLLBACK').catch(() => this.#drop(client))
      return
    }
    try {
      const { command } = await client.query('COMMIT')
      this.#record(op, key, command === 'COMMIT' ? 'acknowledged' : 'failed')
    } catch (error) {
      this.#record(op, key, this.#afterCommitWasSent(client, error))
    }
  }

  /** Any session must see every acknowledged write (`consistency = "fresh"`), on whatever node the read runs. */
  async #readBack(client: Client): Promise<void> {
    const { ledger, random, counts, stale } = this.#options
    const { acknowledged } = ledger
    // Mostly the newest ones: there a replica may still be behind.
    const recent = Math.min(acknowledged.length, random.chance(0.7) ? 5 : acknowledged.length)
    const write = acknowledged[acknowledged.length - 1 - random.below(Math.max(1, recent))]
    if (write === undefined) return
    counts.reads += 1
    try {
      const { rowCount } = await client.query('SELECT op FROM soak_entries WHERE key = $1 AND op = $2', [
        write.key,
        write.op,
      ])
      if (rowCount !== 1) stale.push(`op ${write.op} (key ${write.key}): ${rowCount ?? 0} rows`)
    } catch (error) {
      this.#note(error)
      if (sqlstateOf(error) === 'connection lost') this.#drop(client)
    }
  }

  #choose(): { op: number; key: number } {
    return { op: this.#options.nextOp(), key: 1 + this.#options.random.below(KEYS) }
  }

  #record(op: number, key: number, outcome: Outcome): void {
    this.#options.ledger.record({ op, key, outcome })
  }

  /** An error of the server is an answer; 08007 says that there was none, and so does a connection that ended. */
  #afterCommitWasSent(client: Client, error: unknown): Outcome {
    this.#note(error)
    const sqlstate = sqlstateOf(error)
    if (sqlstate === 'connection lost') this.#drop(client)
    return sqlstate === '08007' || sqlstate === 'connection lost' ? 'unknown' : 'failed'
  }

  #drop(client: Client): void {
    if (this.#client === client) this.#client = null
    socketOf(client).destroy()
  }

  #note(error: unknown): void {
    const { errors } = this.#options.counts
    const sqlstate = sqlstateOf(error)
    errors.set(sqlstate, (errors.get(sqlstate) ?? 0) + 1)
  }
}

/** pg has no way to break a connection off without its farewell message. */
function socketOf(client: Client): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream
}
