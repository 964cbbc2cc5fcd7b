/**
 * [auth] query: finds the password or verifier of a user who is not listed. It runs before anyone has proved anything, so it
 * has connections of its own: never a pooled one, nothing of the client but the name, and that as a bind parameter; operators
 * and functions are found in pg_catalog only (CVE-2025-12819, CVE-2015-6817).
 */
import type { Client } from 'pg'
import {
  connectControl,
  type ControlOptions,
  type ControlTarget,
  dropConnection,
} from '../../pool/control-connection.ts'
import { ShardwayError } from '../errors/shardway-error.ts'

/** VALID UNTIL counts: who has expired has no password (CVE-2025-2291). */
const DEFAULT_QUERY = `SELECT r.rolname, CASE WHEN r.rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now() THEN NULL
  ELSE r.rolpassword END FROM pg_catalog.pg_authid r
  WHERE r.rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND r.rolcanlogin`

/** An answer, also "no such user", counts this long: what changes on the server is seen after it at the latest. */
const CACHE_MS = 5000
const MAX_CACHED = 10_000
/** Logins that wait for an answer; more than that is a flood. */
const MAX_WAITING = 1000
/** A connection that nobody needed for so long is closed. */
const IDLE_MS = 30_000
/** Postgres cuts longer names off: they would be another user's. */
const MAX_NAME_BYTES = 63

export interface UserQueryOptions {
  /** The text of [auth] query. */
  readonly text: string
  /** Where a database's users are looked up; null while it is not known. */
  readonly targetOf: (database: string) => ControlTarget | null
  readonly control: ControlOptions
  readonly nowMs: () => number
  /** A look-up failed for another reason than an unknown user. */
  readonly failed: (place: string, error: unknown) => void
}

interface Cached {
  readonly secret: string | null
  readonly atMs: number
}

interface Link {
  readonly client: Promise<Client>
  idle: NodeJS.Timeout | null
}

export class UserQuery {
  readonly #options: UserQueryOptions
  readonly #text: string
  /** By place and user; a client may name any database, so its name must not make anything grow. */
  readonly #cache = new Map<string, Cached>()
  readonly #running = new Map<string, Promise<string | null>>()
  /** By place. */
  readonly #links = new Map<string, Link>()
  #closed = false

  constructor(options: UserQueryOptions) {
    this.#options = options
    this.#text = options.text === 'default' ? DEFAULT_QUERY : options.text
  }

  /** What the server keeps of the user's password; null for who does not exist, may not log in or has expired. */
  find(database: string, user: string): Promise<string | null> {
    if (user === '' || Buffer.byteLength(user) > MAX_NAME_BYTES) return Promise.resolve(null)
    const target = this.#options.targetOf(database)
    if (target === null) return Promise.reject(unavailable('The database has no primary now.'))
    const name = `${placeOf(target)}\0${user}`
    const cached = this.#cache.get(name)
    if (cached !== undefined && this.#options.nowMs() - cached.atMs < CACHE_MS) return Promise.resolve(cached.secret)
    const running = this.#running.get(name)
    if (running !== undefined) return running
    if (this.#running.size >= MAX_WAITING) return Promise.reject(unavailable('Too many logins wait for it.'))
    const asked = this.#ask(target, user)
      .then(secret => {
        this.#remember(name, secret)
        return secret
      })
      .finally(() => {
        this.#running.delete(name)
        if (this.#closed) this.#closeWhenQuiet()
      })
    this.#running.set(name, asked)
    return asked
  }

  /**
   * A login failed by what was cached: it may have been changed on the server meanwhile. "No such user" is forgotten too:
   * answered from the cache at the next try, it would come sooner than the question to who exists.
   */
  forget(database: string, user: string): void {
    const target = this.#options.targetOf(database)
    if (target !== null) this.#cache.delete(`${placeOf(target)}\0${user}`)
  }

  /** A reload has brought another one: what runs is still answered. */
  close(): void {
    this.#closed = true
    this.#closeWhenQuiet()
  }

  #closeWhenQuiet(): void {
    if (this.#running.size > 0) return
    for (const place of this.#links.keys()) this.#drop(place)
  }

  #remember(name: string, secret: string | null): void {
    this.#cache.delete(name)
    if (this.#cache.size >= MAX_CACHED) {
      const oldest = this.#cache.keys().next().value
      if (oldest !== undefined) this.#cache.delete(oldest)
    }
    this.#cache.set(name, { secret, atMs: this.#options.nowMs() })
  }

  async #ask(target: ControlTarget, user: string): Promise<string | null> {
    try {
      return await this.#run(target, user)
    } catch {
      // The connection may have been lost while it was idle: once more, on a new one.
      this.#drop(placeOf(target))
    }
    try {
      return await this.#run(target, user)
    } catch (error) {
      this.#drop(placeOf(target))
      this.#options.failed(placeOf(target), error)
      throw unavailable('[auth] query failed; the log names the reason.')
    }
  }

  async #run(target: ControlTarget, user: string): Promise<string | null> {
    const place = placeOf(target)
    const link = this.#link(place, target)
    const client = await link.client
    if (link.idle !== null) clearTimeout(link.idle)
    const { rows } = await client.query<unknown[]>({ text: this.#text, values: [user], rowMode: 'array' })
    if (this.#links.get(place) === link) {
      if (link.idle !== null) clearTimeout(link.idle)
      link.idle = setTimeout(() => this.#drop(place), IDLE_MS)
      link.idle.unref()
    }
    return secretOf(rows, user)
  }

  #link(place: string, target: ControlTarget): Link {
    const known = this.#links.get(place)
    if (known !== undefined) return known
    const client = connectControl(target, this.#options.control)
    const link: Link = { client, idle: null }
    this.#links.set(place, link)
    client.then(
      connected => void connected.on('end', () => this.#forgetLink(place, link)),
      () => this.#forgetLink(place, link),
    )
    return link
  }

  #forgetLink(place: string, link: Link): void {
    if (this.#links.get(place) === link) this.#links.delete(place)
  }

  #drop(place: string): void {
    const link = this.#links.get(place)
    if (link === undefined) return
    this.#links.delete(place)
    if (link.idle !== null) clearTimeout(link.idle)
    link.client.then(dropConnection, () => undefined)
  }
}

function placeOf({ user, host, port, dbname }: ControlTarget): string {
  return `${user}@${host}:${port}/${dbname}`
}

/** One row: the secret, or the name and the secret. Anything else is nobody. */
function secretOf(rows: ReadonlyArray<readonly unknown[]>, user: string): string | null {
  const [row, ...others] = rows
  if (row === undefined || others.length > 0 || row.length > 2) return null
  if (row.length === 2 && row[0] !== user) return null
  const secret = row.at(-1)
  return typeof secret === 'string' && secret !== '' ? secret : null
}

function unavailable(detail: string): ShardwayError {
  return new ShardwayError('users_unavailable', '57P03', 'the proxy cannot look up users now', {
    detail,
    hint: 'Try again in a moment.',
  })
}
