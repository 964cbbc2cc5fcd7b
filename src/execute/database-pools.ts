/** The pools of one database on a worker: one for each user and node, made when first asked for. */
import type { Login } from '../../pool/connect.ts'
import { OidPatch } from '../../pool/oid-patch.ts'
import { Pool } from '../../pool/pool.ts'
import { passwordSecret, type ServerSecret } from '../../pool/server-secret.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Config, DatabaseConfig } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { PoolPlace, Watermark } from '../process/messages.ts'
import { type DatabaseTopology, type Node, primaryOf, type Shard, shardNamed } from '../topology/topology.ts'
import type { DatabaseUsers } from './database-users.ts'

export interface PoolServices {
  /** Servers that this worker may open in the pool. */
  shareOf(pool: string): number
  wantShare(pool: string): void
  /** One more connection is wanted; `Pool.permit` answers. */
  wantPermit(place: PoolPlace, reserve: boolean): void
  permitBack(place: PoolPlace, reserve: boolean): void
  /** This worker's part of a number of connections that are kept open, over all workers. */
  partOf(count: number): number
  suspect(database: string, shard: string, address: string): void
  /** What a user without server_user logs in to servers with. */
  serverSecret(database: string, user: string): ServerSecret
  /** PEM text of [server.tls] ca. */
  serverCa(): string | undefined
}

export class DatabasePools {
  readonly #users: DatabaseUsers
  readonly #services: PoolServices
  readonly #pools = new Map<string, Pool>()
  /** What is asked for with every statement, until the next topology: primaries' pools by user and index of the shard. */
  readonly #primaryPools = new Map<string, Pool[]>()
  #config: Config
  #database: DatabaseConfig
  #catalog: Catalog | null = null
  #basis: string
  #paused = false

  constructor(config: Config, database: DatabaseConfig, users: DatabaseUsers, services: PoolServices) {
    this.#config = config
    this.#database = database
    this.#users = users
    this.#services = services
    this.#basis = this.#loginBasis
  }

  get all(): ReadonlyMap<string, Pool> {
    return this.#pools
  }

  configure(config: Config, database: DatabaseConfig): void {
    this.#config = config
    this.#database = database
    const basis = this.#loginBasis
    const other = basis !== this.#basis
    this.#basis = basis
    for (const pool of this.#pools.values()) {
      pool.settings = this.#users.settingsOf(pool.options.user)
      if (other) pool.reconnect()
    }
  }

  /** What connections log in with, but for the users' own secrets: others log in anew when it changes. */
  get #loginBasis(): string {
    const { server_user: user, server_password: password } = this.#database
    return JSON.stringify([user, password, this.#config.server.tls.mode, this.#services.serverCa()])
  }

  setCatalog(catalog: Catalog): void {
    this.#catalog = catalog
    for (const pool of this.#pools.values()) pool.setPatch(this.#patch(pool.options.shard))
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    for (const pool of this.#pools.values()) pool.setPaused(paused)
  }

  close(error: ShardwayError): void {
    for (const pool of this.#pools.values()) pool.close(error)
    this.#pools.clear()
  }

  /** `index`: of the shard. Throws 57P03 when it has no primary now. */
  primary(index: number, user: string, shardAt: (index: number) => Shard): Pool {
    let pools = this.#primaryPools.get(user)
    if (pools === undefined) {
      pools = []
      this.#primaryPools.set(user, pools)
    }
    const known = pools[index]
    if (known !== undefined && !known.closed) return known
    const shard = shardAt(index)
    return (pools[index] = this.#pool(shard, primaryNode(shard), 'primary', user))
  }

  /**
   * The replica with the least work that may answer, with the watermark that allows it; null when the primary must.
   * `allows` decides about a node by its watermark.
   */
  replica(
    shard: Shard,
    user: string,
    watermarkOf: (shard: string, address: string) => Watermark | undefined,
    allows: (watermark: Watermark) => boolean,
  ): { readonly pool: Pool; readonly watermark: Watermark } | null {
    if (shard.nodes.length < 2) return null
    const maxLagUs = this.#config.read.max_replica_lag * 1000
    let best: { readonly pool: Pool; readonly watermark: Watermark } | null = null
    let bestLoad = Number.POSITIVE_INFINITY
    for (const node of shard.nodes) {
      if (node.role !== 'replica' || !node.reachable) continue
      const watermark = watermarkOf(shard.name, node.address)
      if (watermark === undefined || watermark.lagUs < 0 || watermark.lagUs > maxLagUs) continue
      if (!allows(watermark)) continue
      const pool = this.#pool(shard, node, 'replica', user)
      const load = pool.active + pool.waiting
      if (load < bestLoad) {
        best = { pool, watermark }
        bestLoad = load
      }
    }
    return best
  }

  tick(now: number, topology: DatabaseTopology | null): void {
    if (topology !== null && !this.#paused) this.#openMinimum(topology)
    for (const [name, pool] of this.#pools) {
      const { minSize } = pool.settings
      if (minSize > 0 || pool.minSize > 0) {
        const kept = this.#database.server_user !== undefined || this.#users.hasClients(pool.options.user)
        pool.minSize = kept ? this.#services.partOf(minSize) : 0
      }
      pool.tick(now)
      if (pool.closed) this.#pools.delete(name)
    }
  }

  /** min_pool_size counts on every primary from a user's first client on. */
  #openMinimum(topology: DatabaseTopology): void {
    for (const user of this.#users.connected()) {
      if (this.#users.settingsOf(user).minSize === 0) continue
      for (const shard of topology.shards) {
        const node = primaryOf(shard)
        if (node !== undefined) this.#pool(shard, node, 'primary', user)
      }
    }
  }

  /** Pools of nodes that changed their role, shard or place are reset at once (soundness 25). */
  setTopology(topology: DatabaseTopology): void {
    this.#primaryPools.clear()
    for (const [name, pool] of this.#pools) {
      const node = shardNamed(topology, pool.options.shard)?.nodes.find(one => one.address === pool.options.address)
      // 'unknown' is a node that does not answer right now: its connections will tell by themselves.
      if (node !== undefined && (node.role === pool.options.role || node.role === 'unknown')) continue
      // Out of the map first: owners of lost requests may open the node's new pool at once.
      this.#pools.delete(name)
      pool.close(new ShardwayError('role_changed', '57P03', `node ${pool.options.address} changed its role`))
    }
  }

  #pool(shard: Shard, node: Node, role: 'primary' | 'replica', user: string): Pool {
    // With the shard: two may be databases of one server.
    const name = `${this.#database.name}|${user}|${shard.name}|${node.address}`
    const existing = this.#pools.get(name)
    if (existing !== undefined && !existing.closed) return existing
    const pool = this.#newPool(name, shard, node, role, user)
    this.#pools.set(name, pool)
    return pool
  }

  #newPool(name: string, shard: Shard, node: Node, role: 'primary' | 'replica', user: string): Pool {
    const database = this.#database.name
    const place = { pool: name, database, user, address: node.address }
    const pool = new Pool({
      name,
      database,
      user,
      shard: shard.name,
      address: node.address,
      role,
      login: this.login(shard, node, user),
      size: this.#services.shareOf(name),
      patch: this.#patch(shard.name),
      settings: this.#users.settingsOf(user),
      onWantShare: () => this.#services.wantShare(name),
      onWantPermit: reserve => this.#services.wantPermit(place, reserve),
      onPermitBack: reserve => this.#services.permitBack(place, reserve),
      onSuspect: () => this.#services.suspect(database, shard.name, node.address),
    })
    pool.setPaused(this.#paused)
    return pool
  }

  /** How a user's connections to a node log in. */
  login(shard: Shard, node: Node, user: string): Login {
    const now = (): DatabaseConfig => this.#database
    const tls = (): Login['tls'] => ({ mode: this.#config.server.tls.mode, ca: this.#services.serverCa() })
    return {
      host: node.host,
      port: node.port,
      database: shard.dbname,
      // As the configuration says when a connection is opened: the pool may be older.
      get tls() {
        return tls()
      },
      get user() {
        return now().server_user ?? user
      },
      secret: () =>
        now().server_user === undefined
          ? this.#services.serverSecret(now().name, user)
          : passwordSecret(now().server_password ?? null),
    }
  }

  #patch(shard: string): OidPatch | null {
    const map = this.#catalog?.oids[shard]
    return map === undefined || map.types.length + map.relations.length === 0 ? null : new OidPatch(map)
  }
}

/** Throws 57P03. */
export function primaryNode(shard: Shard): Node {
  const node = primaryOf(shard)
  if (node !== undefined) return node
  throw new ShardwayError('no_primary', '57P03', `shard ${shard.name} has no primary now`, {
    hint: 'See SHOW NODES; the proxy looks at its nodes every [failover] probe.',
  })
}
