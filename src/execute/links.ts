/** The servers that a client holds, by shard, and the stated reasons why it keeps them between transactions (pins). */
import type { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'

export interface Link {
  readonly server: ServerConnection
  readonly pool: Pool
  readonly shard: number
}

export class Links {
  /** Few, mostly one: an array is the fastest map. */
  readonly #links: Link[] = []
  readonly pins = new Set<string>()

  get size(): number {
    return this.#links.length
  }

  get first(): Link | undefined {
    return this.#links[0]
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
    // Paused for a slow client of ours: whoever has it next must not wait for that one.
    if (link.server.socket.isPaused()) link.server.socket.resume()
    link.pool.release(link.server)
  }

  /** A statement leaves state behind on the server that cannot be carried: the client keeps it. */
  pin(link: Link, reason: string): void {
    this.pins.add(reason)
    link.server.state.dirty = true
  }

  /** The client is gone. Idle servers go back (reset where pinned); others are closed, never reused in doubt. */
  dropAll(reason: string): void {
    for (const link of this.#links.splice(0)) {
      link.server.owner = null
      if (link.server.clean) link.pool.release(link.server)
      else link.server.destroy(reason)
    }
    this.pins.clear()
  }
}
