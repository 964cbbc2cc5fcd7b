/** The servers that a client holds, by shard, and the stated reasons why it keeps them between transactions (pins). */
import type { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'

export interface Link {
  readonly server: ServerConnection
  readonly pool: Pool
  readonly shard: number
}

export class Links {
  readonly #byShard = new Map<number, Link>()
  readonly pins = new Set<string>()

  get size(): number {
    return this.#byShard.size
  }

  get first(): Link | undefined {
    for (const link of this.#byShard.values()) return link
    return undefined
  }

  all(): Iterable<Link> {
    return this.#byShard.values()
  }

  at(shard: number): Link | undefined {
    return this.#byShard.get(shard)
  }

  of(server: ServerConnection): Link | undefined {
    for (const link of this.#byShard.values()) if (link.server === server) return link
    return undefined
  }

  add(link: Link): void {
    this.#byShard.set(link.shard, link)
  }

  forget(link: Link): void {
    this.#byShard.delete(link.shard)
  }

  /** Gives the server back; what was pinned to it is reset there before anyone else has it. */
  release(link: Link): void {
    this.#byShard.delete(link.shard)
    link.pool.release(link.server)
  }

  /** A statement leaves state behind on the server that cannot be carried: the client keeps it. */
  pin(link: Link, reason: string): void {
    this.pins.add(reason)
    link.server.state.dirty = true
  }

  /** The client is gone. Idle servers go back (reset where pinned); others are closed, never reused in doubt. */
  dropAll(reason: string): void {
    for (const link of [...this.#byShard.values()]) {
      this.#byShard.delete(link.shard)
      link.server.owner = null
      if (link.server.clean) link.pool.release(link.server)
      else link.server.destroy(reason)
    }
    this.pins.clear()
  }
}
