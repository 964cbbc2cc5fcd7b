/** One database as a worker serves it: router, pools, users, numbers. */
import type { Login } from '../../pool/connect.ts'
import type { Pool } from '../../pool/pool.ts'
import type { Settings } from '../../pool/server-state.ts'
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
import type { Watermark } from '../process/messages.ts'
import { DatabasePools, type PoolServices, primaryNode } from './database-pools.ts'
import { DatabaseUsers } from './database-users.ts'
import { type DatabaseTopology, primaryOf, type Shard, shardNamed } from '../topology/topology.ts'

const PLAN_BYTES = 16 * 1024 * 1024

/** What a server says to a new session of a user with certain settings. */
export interface Welcome {
  /** One object for all of them. */
  readonly settings: Settings
  readonly parameters: ReadonlyMap<string, string>
  readonly searchPath: readonly string[]
}

export class DatabaseContext {
  readonly name: string
  readonly stats = new DatabaseStats()
  readonly users: DatabaseUsers
  readonly auto: AutoStatements
  readonly #pools: DatabasePools
  readonly #shardAt = (index: number): Shard => this.shardAt(index)
  readonly #listening = new Map<string, Listening>()
  /** What is asked for with every statement, by index, until the next topology. */
  #shards: Shard[] = []
  #config: Config
  #topology: DatabaseTopology | null = null
  #catalog: Catalog | null = null
  #router: Router | null = null
  /** Parameters that a new client is told, by settings signature and user. */
  readonly welcomes = new Map<string, Welcome>()

  constructor(config: Config, database: DatabaseConfig, services: PoolServices, statements: SharedStatements) {
    this.auto = new AutoStatements(statements)
    this.name = database.name
    this.#config = config
    this.users = new DatabaseUsers(database.name, config)
    this.#pools = new DatabasePools(config, database, this.users, services)
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
      return this.#pools.login(shard, primaryNode(shard), user)
    })
  }

  get pools(): ReadonlyMap<string, Pool> {
    return this.#pools.all
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
      this.#pools.setTopology(topology)
    }
    if (catalog !== null && catalog !== this.#catalog) {
      this.#catalog = catalog
      this.#pools.setCatalog(catalog)
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
    this.users.configure(config)
    this.#pools.configure(config, database)
  }

  setPaused(paused: boolean): void {
    this.#pools.setPaused(paused)
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
    return this.#pools.primary(index, user, this.#shardAt)
  }

  /** See `DatabasePools.replica`. */
  replicaPool(
    index: number,
    user: string,
    watermarkOf: (shard: string, address: string) => Watermark | undefined,
    allows: (watermark: Watermark) => boolean,
  ): { readonly pool: Pool; readonly watermark: Watermark } | null {
    return this.#pools.replica(this.shardAt(index), user, watermarkOf, allows)
  }

  tick(now: number): void {
    this.#pools.tick(now, this.#topology)
  }

  close(error: ShardwayError): void {
    this.#pools.close(error)
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
}

function primariesOf(topology: DatabaseTopology): string {
  return topology.shards.map(shard => primaryOf(shard)?.address ?? '').join()
}

function notReady(database: string): ShardwayError {
  return new ShardwayError('not_ready', '57P03', `database ${database} is not ready yet`, {
    hint: 'The proxy has not found a primary of every shard yet; see /readyz and SHOW NODES.',
  })
}
