/** One node of a shard: a server, and the fault proxies on the ways to it. */
import type { FaultProxy } from './fault-proxy.ts'
import type { PgServer } from './server.ts'

export interface NodeLinks {
  /** Between Shardway and the server. */
  readonly clients: FaultProxy
  /** Between the standbys and the server. */
  readonly replication: FaultProxy
}

export class ClusterNode {
  readonly name: string
  readonly server: PgServer
  readonly #links: NodeLinks | undefined
  /** Set by the cluster: password and name for `primary_conninfo`. */
  readonly #replicationLogin: string

  constructor(server: PgServer, links: NodeLinks | undefined, replicationLogin: string) {
    this.name = server.name
    this.server = server
    this.#links = links
    this.#replicationLogin = replicationLogin
  }

  /** `host:port` for Shardway's configuration: through the fault proxy where there is one. */
  get address(): string {
    return `${this.server.host}:${this.port}`
  }

  get port(): number {
    return this.#links?.clients.port ?? this.server.port
  }

  /** `host:port` for the other servers. */
  get replicationAddress(): string {
    return `${this.server.host}:${this.replicationPort}`
  }

  get replicationPort(): number {
    return this.#links?.replication.port ?? this.server.port
  }

  /** The fault proxy between Shardway and this node. Needs `links: true`. */
  get link(): FaultProxy {
    return this.#required().clients
  }

  /** The fault proxy between this node's standbys and this node. Needs `links: true`. */
  get replicationLink(): FaultProxy {
    return this.#required().replication
  }

  /** What a standby of this node has as `primary_conninfo`. */
  conninfoFor(standby: string): string {
    const { host } = this.server
    return `host=${host} port=${this.replicationPort} ${this.#replicationLogin} application_name=${standby}`
  }

  start(): Promise<void> {
    return this.server.start()
  }

  stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    return this.server.stop(mode)
  }

  restart(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    return this.server.restart(mode)
  }

  kill(): Promise<void> {
    return this.server.kill()
  }

  freeze(): Promise<void> {
    return this.server.freeze()
  }

  thaw(): Promise<void> {
    return this.server.thaw()
  }

  /** Unreachable for Shardway and for the standbys: connections are reset and refused. */
  async cut(): Promise<void> {
    const { clients, replication } = this.#required()
    await Promise.all([clients.cut(), replication.cut()])
  }

  /** Unreachable in silence: nothing is refused, nothing arrives. */
  isolate(): void {
    const { clients, replication } = this.#required()
    clients.stall()
    replication.stall()
  }

  async heal(): Promise<void> {
    const { clients, replication } = this.#required()
    await Promise.all([clients.heal(), replication.heal()])
  }

  async close(): Promise<void> {
    if (this.#links === undefined) return
    await Promise.all([this.#links.clients.close(), this.#links.replication.close()])
  }

  #required(): NodeLinks {
    if (this.#links === undefined)
      throw new Error(`node ${this.name} has no fault proxies: start the cluster with links: true`)
    return this.#links
  }
}
