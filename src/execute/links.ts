/** The servers that a client holds, by shard, and the stated reasons why it keeps them between transactions (pins). */
import type { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'

export class Link {
  readonly server: ServerConnection
  readonly pool: Pool
  readonly shard: number
  /** Why the client keeps this server between transactions; null: for nothing that it has left there. */
  pins: Set<string> | null = null
  /** Session pooling: it is kept whatever is left there. */
  readonly #forSession: boolean

  constructor(server: ServerConnection, pool: Pool, shard: number, forSession = false) {
    this.server = server
    this.pool = pool
    this.shard = shard
    this.#forSession = forSession
  }

  /** The client keeps it between transactions. */
  get kept(): boolean {
    return this.pins !== null || this.#forSession
  }

  /** A statement leaves state behind on the server that cannot be carried: the client keeps it, and it is reset afterwards. */
  pin(reason: string): void {
    this.pins = (this.pins ?? new Set()).add(reason)
    this.server.state.dirty = true
  }

  unpin(reason: string): void {
    if (this.pins?.delete(reason) === true && this.pins.size === 0) this.pins = null
  }
}

export class Links {
  /** Few, mostly one: an array is the fastest map. */
  readonly #links: Link[] = []

  /** The client keeps some server. */
  get kept(): boolean {
    for (let i = 0; i < this.#links.length; i++) if (this.#links[i]?.kept === true) return true
    return false
  }

  /** Why, over all servers. */
  get pins(): ReadonlySet<string> {
    return new Set(this.#links.flatMap(link => [...(link.pins ?? [])]))
  }

  get size(): number {
    return this.#links.length
  }

  get first(): Link | undefined {
    return this.#links[0]
  }

  /** Where a statement goes that any server could run: what it works on may be on the one that the client keeps. */
  preferred(defaultShard: number): Link | undefined {
    if (this.#links.length < 2) return this.#links[0]
    const kept = this.#links.filter(link => link.kept)
    return kept.find(link => link.shard === defaultShard) ?? kept[0] ?? this.#links[0]
  }

  all(): Iterable<Link> {
    return this.#links
  }

  at(shard: number): Link | undefined {
    for (let i = 0; i < this.#links.length; i++) if (this.#links[i]?.shard === shard) return this.#links[i]
    return undefined
  }

  of(server: ServerConnection): Link | undefined {
    for (let i = 0; i < this.#links.length; i++) if (this.#links[i]?.server === server) return this.#links[i]
    return undefined
  }

  add(link: Link): void {
    if (!this.#links.includes(link)) this.#links.push(link)
  }

  forget(link: Link): void {
    const at = this.#links.indexOf(link)
    if (at < 0) return
    if (at === this.#links.length - 1) this.#links.pop()
    else this.#links.splice(at, 1)
  }

  /** Gives the server back; what was pinned to it is reset there before anyone else has it. */
  release(link: Link): void {
    this.forget(link)
    link.pins = null
    // Paused for a slow client of ours: whoever has it next must not wait for that one.
    if (link.server.socket.isPaused()) link.server.socket.resume()
    link.pool.release(link.server)
  }

  /** Gives back those that nothing keeps. Nothing is ever kept on a replica: what the session does next may be a write. */
  releaseIdle(): void {
    for (let i = this.#links.length - 1; i >= 0; i--) {
      const link = this.#links[i]
      if (link === undefined || !link.server.clean) continue
      if (!link.kept || link.pool.options.role === 'replica') this.release(link)
    }
  }

  /** Some server has not answered yet: what it was sent may still be committed. */
  get busy(): boolean {
    return this.#links.some(({ server }) => server.outstanding > 0)
  }

  /** The client is gone. Idle servers go back (reset where pinned); others are closed, never reused in doubt. */
  dropAll(reason: string): void {
    for (const link of this.#links.splice(0)) {
      link.server.owner = null
      if (link.server.clean) link.pool.release(link.server)
      else link.server.destroy(reason)
    }
  }
}
