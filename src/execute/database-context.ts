/** One database as a worker serves it: router, pools, and the choice of the node that answers. */
import type { Login } from '../../pool/connect.ts'
import { OidPatch } from '../../pool/oid-patch.ts'
import { Pool } from '../../pool/pool.ts'
import { passwordSecret, type ServerSecret } from '../../pool/server-secret.ts'
import type { Plan } from '../../router/plan.ts'
import { planStatement } from '../../router/planner/plan-statement.ts'
import { Router } from '../../router/router.ts'
import { AutoStatements } from './auto-prepare.ts'
import { Listening } from './listening.ts'
import type { SharedStatements } from './shared-statements.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Config, DatabaseConfig } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { DatabaseStats } from '../observe/database-stats.ts'
import type { PoolPlace, Watermark } from '../process/messages.ts'
import { DatabaseUsers } from './database-users.ts'
import { type DatabaseTopology, type Node, primaryOf, type Shard, shardNamed } from '../topology/topology.ts'

const PLAN_BYTES = 16 * 1024 * 1024

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

/** What a server says to a new session of a user with certain settings. */
export interface Welcome {
  readonly parameters: ReadonlyMap<string, string>
  readonly searchPath: readonly string[]
}

export class DatabaseContext {
  readonly name: string
  readonly stats = new DatabaseStats()
  readonly users: DatabaseUsers
  readonly auto: AutoStatements
  readonly #services: PoolServices
  readonly #pools = new Map<string, Pool>()
  readonly #listening = new Map<string, Listening>()
  /** What is asked for with every statement, until the next topology: shards and primaries' pools by index. */
  #shards: Shard[] = []
  readonly #primaryPools = new Map<string, Pool[]>()
  #config: Config
  #database: DatabaseConfig
  #topology: DatabaseTopology | null = null
  #catalog: Catalog | null = null
  #router: Router | null = null
  #paused = false
  /** Parameters that a new client is told, by settings signature and user. */
  readonly welcomes = new Map<string, Welcome>()

  constructor(config: Config, database: DatabaseConfig, services: PoolServices, statements: SharedStatements) {
    this.auto = new AutoStatements(statements)
    this.name = database.name
    this.#config = config
    this.#database = database
    this.#services = services
    this.users = new DatabaseUsers(database.name, config)
  }

  /** Who listens for the clients of a user, on every shard. */
  listening(user: string): Listening {
    let listening = this.#listening.get(user)
    if (listening === undefined) {
      listening = new Listening(
        () => this.#primaryLogins(user),
        () => this.users.settingsOf(user).connectTimeoutMs,
      )
      this.#listening.set(user, listening)
    }
    return listening
  }

  #primaryLogins(user: string): Login[] {
    return this.topology.shardNames.map((_, index) => {
      const shard = this.shardAt(index)
      return this.#login(shard, primaryNode(shard), user)
    })
  }

  get pools(): ReadonlyMap<string, Pool> {
    return this.#pools
  }

  /** False until the first topology and catalog have come. */
  get ready(): boolean {
    return this.#router !== null
  }

  get router(): Router {
    if (this.#router === null) throw notReady(this.name)
    return this.#router
  }

  get topology(): DatabaseTopology {
    if (this.#topology === null) throw notReady(this.name)
    return this.#topology
  }

  get defaultShard(): number {
    return this.topology.shardNames.indexOf(this.topology.defaultShard)
  }

  update(config: Config, database: DatabaseConfig, topology: DatabaseTopology | null, catalog: Catalog | null): void {
    const same = config === this.#config && topology === this.#topology && catalog === this.#catalog
    if (config !== this.#config) this.#configure(config, database)
    if (topology !== null && topology !== this.#topology) {
      if (this.#topology !== null && primariesOf(this.#topology) !== primariesOf(topology)) {
        this.#stopListening(new ShardwayError('role_changed', '57P03', 'another node is the primary now'))
      }
      this.#topology = topology
      this.#shards = []
      this.#primaryPools.clear()
      this.#closeForeignPools(topology)
    }
    if (catalog !== null && catalog !== this.#catalog) {
      this.#catalog = catalog
      for (const pool of this.#pools.values()) pool.setPatch(this.#patch(pool.options.shard))
    }
    // A heartbeat changes nothing: logins need no server for its sake.
    if (!same) this.welcomes.clear()
    if (this.#topology === null || this.#catalog === null) return
    if (this.#router === null) {
      this.#router = new Router({
        catalog: this.#catalog,
        topology: this.#topology,
        planBytes: PLAN_BYTES,
        planner: planStatement,
      })
    } else this.#router.update(this.#catalog, this.#topology)
  }

  #configure(config: Config, database: DatabaseConfig): void {
    this.#config = config
    this.#database = database
    this.users.configure(config)
    for (const pool of this.#pools.values()) pool.settings = this.users.settingsOf(pool.options.user)
  }

  setPaused(paused: boolean): void {
    this.#paused = paused
    for (const pool of this.#pools.values()) pool.setPaused(paused)
  }

  shardAt(index: number): Shard {
    const known = this.#shards[index]
    if (known !== undefined) return known
    const name = this.topology.shardNames[index]
    const shard = name === undefined ? undefined : shardNamed(this.topology, name)
    if (shard === undefined) throw new ShardwayError('no_shard', '57P03', `shard ${name ?? index} is not known`)
    this.#shards[index] = shard
    return shard
  }

  /** Throws 57P03 when the shard has no primary now. */
  primaryPool(index: number, user: string): Pool {
    let pools = this.#primaryPools.get(user)
    if (pools === undefined) {
      pools = []
      this.#primaryPools.set(user, pools)
    }
    const known = pools[index]
    if (known !== undefined && !known.closed) return known
    const shard = this.shardAt(index)
    return (pools[index] = this.#pool(shard, primaryNode(shard), 'primary', user))
  }

  /**
   * The replica with the least work that may answer, with the watermark that allows it; null when the primary must.
   * `allows` decides about a node by its watermark.
   */
  replicaPool(
    index: number,
    user: string,
    watermarkOf: (shard: string, address: string) => Watermark | undefined,
    allows: (watermark: Watermark) => boolean,
  ): { readonly pool: Pool; readonly watermark: Watermark } | null {
    const shard = this.shardAt(index)
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

  tick(now: number): void {
    this.#openMinimum()
    for (const [name, pool] of this.#pools) {
      const { minSize } = pool.settings
      if (minSize > 0 || pool.minSize > 0) {
        const kept = this.#database.server_user !== undefined || this.users.hasClients(pool.options.user)
        pool.minSize = kept ? this.#services.partOf(minSize) : 0
      }
      pool.tick(now)
      if (pool.closed) this.#pools.delete(name)
    }
  }

  /** min_pool_size counts on every primary from a user's first client on. */
  #openMinimum(): void {
    if (this.#topology === null || this.#paused) return
    for (const user of this.users.connected()) {
      if (this.users.settingsOf(user).minSize === 0) continue
      this.#topology.shardNames.forEach((_, index) => {
        if (primaryOf(this.shardAt(index)) !== undefined) this.primaryPool(index, user)
      })
    }
  }

  close(error: ShardwayError): void {
    for (const pool of this.#pools.values()) pool.close(error)
    this.#pools.clear()
    this.#stopListening(error)
  }

  #stopListening(error: ShardwayError): void {
    for (const listening of this.#listening.values()) listening.reset(error)
  }

  /** True when reads of the plan may go to replicas at all. */
  hasReplicas(index: number): boolean {
    return this.shardAt(index).nodes.length > 1
  }

  /** Writes are marked only where someone could read something older: on shards with replicas. */
  marks(plan: Plan, index: number): boolean {
    return plan.access === 'write' && this.hasReplicas(index)
  }

  #pool(shard: Shard, node: Node, role: 'primary' | 'replica', user: string): Pool {
    const name = `${this.name}|${user}|${node.address}`
    const existing = this.#pools.get(name)
    if (existing !== undefined && !existing.closed && existing.options.shard === shard.name) return existing
    const pool = this.#newPool(name, shard, node, role, user)
    this.#pools.set(name, pool)
    return pool
  }

  #newPool(name: string, shard: Shard, node: Node, role: 'primary' | 'replica', user: string): Pool {
    const place = { pool: name, database: this.name, user, address: node.address }
    const pool = new Pool({
      name,
      database: this.name,
      user,
      shard: shard.name,
      address: node.address,
      role,
      login: this.#login(shard, node, user),
      size: this.#services.shareOf(name),
      patch: this.#patch(shard.name),
      settings: this.users.settingsOf(user),
      onWantShare: () => this.#services.wantShare(name),
      onWantPermit: reserve => this.#services.wantPermit(place, reserve),
      onPermitBack: reserve => this.#services.permitBack(place, reserve),
      onSuspect: () => this.#services.suspect(this.name, shard.name, node.address),
    })
    pool.setPaused(this.#paused)
    return pool
  }

  #login(shard: Shard, node: Node, user: string): Login {
    const { mode } = this.#config.server.tls
    const { server_user: serverUser, server_password: serverPassword } = this.#database
    return {
      host: node.host,
      port: node.port,
      tls: { mode, ca: this.#services.serverCa() },
      database: shard.dbname,
      user: serverUser ?? user,
      secret: () =>
        serverUser === undefined
          ? this.#services.serverSecret(this.name, user)
          : passwordSecret(serverPassword ?? null),
    }
  }

  #patch(shard: string): OidPatch | null {
    const map = this.#catalog?.oids[shard]
    return map === undefined || map.types.length + map.relations.length === 0 ? null : new OidPatch(map)
  }

  /** Pools of nodes that changed their role, shard or place are reset at once (soundness 25). */
  #closeForeignPools(topology: DatabaseTopology): void {
    for (const [name, pool] of this.#pools) {
      const node = shardNamed(topology, pool.options.shard)?.nodes.find(one => one.address === pool.options.address)
      // 'unknown' is a node that does not answer right now: its connections will tell by themselves.
      if (node !== undefined && (node.role === pool.options.role || node.role === 'unknown')) continue
      // Out of the map first: owners of lost requests may open the node's new pool at once.
      this.#pools.delete(name)
      pool.close(new ShardwayError('role_changed', '57P03', `node ${pool.options.address} changed its role`))
    }
  }
}

function primaryNode(shard: Shard): Node {
  const node = primaryOf(shard)
  if (node !== undefined) return node
  throw new ShardwayError('no_primary', '57P03', `shard ${shard.name} has no primary now`, {
    hint: 'See SHOW NODES; the proxy looks at its nodes every [failover] probe.',
  })
}

function primariesOf(topology: DatabaseTopology): string {
  return topology.shards.map(shard => primaryOf(shard)?.address ?? '').join()
}

function notReady(database: string): ShardwayError {
  return new ShardwayError('not_ready', '57P03', `database ${database} is not ready yet`, {
    hint: 'The proxy has not found a primary of every shard yet; see /readyz and SHOW NODES.',
  })
}
