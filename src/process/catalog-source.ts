/** Where catalogs come from: default_shard's primary, and the other shards for their OIDs. */
import type pg from 'pg'
import { connectControl, dropConnection } from '../../pool/control-connection.ts'
import type { Catalog, OidMap } from '../catalog/catalog.ts'
import { loadFingerprint } from '../catalog/fingerprint.ts'
import { loadCatalog } from '../catalog/load.ts'
import { loadOidNames, oidMap } from '../catalog/oids.ts'
import type { Config, DatabaseConfig } from '../config/schema.ts'
import { errorOf } from '../errors/codes.ts'
import { primaryOf, type Shard, type Topology } from '../topology/topology.ts'
import type { CatalogSource } from './catalogs.ts'

const CONNECT_TIMEOUT_MS = 5000
const QUERY_TIMEOUT_MS = 30_000

interface Kept {
  readonly target: string
  readonly client: pg.Client
}

/** Keeps one connection for each shard, made anew when it fails or the primary is another. */
export class ControlCatalogSource implements CatalogSource {
  readonly #config: () => Config
  readonly #topology: () => Topology
  readonly #clients = new Map<string, Kept>()
  /** One question at a time on a shard's connection. */
  readonly #turns = new Map<string, Promise<unknown>>()
  #closed = false

  constructor(config: () => Config, topology: () => Topology) {
    this.#config = config
    this.#topology = topology
  }

  async fingerprint(name: string): Promise<string> {
    // With the names: a shard that comes back changes the fingerprint, and its OIDs are read then.
    const prints = await Promise.all(
      this.#shardsOf(name).map(async shard => `${shard.name} ${await this.#on(name, shard, loadFingerprint)}`),
    )
    return prints.join('\n')
  }

  async load(name: string, version: number): Promise<Catalog> {
    const [first, ...others] = this.#shardsOf(name)
    if (first === undefined) throw errorOf('no_such_database', { database: name })
    const database = this.#declared(name)
    const { catalog } = await this.#on(name, first, client =>
      loadCatalog(client, {
        database: name,
        version,
        tables: database.tables,
        functions: database.functions,
        serverUser: database.server_user ?? null,
      }),
    )
    if (others.length === 0) return catalog
    const reference = await this.#on(name, first, loadOidNames)
    const oids: Record<string, OidMap> = {}
    for (const shard of others) oids[shard.name] = oidMap(await this.#on(name, shard, loadOidNames), reference)
    return { ...catalog, oids }
  }

  close(): void {
    this.#closed = true
    for (const { client } of this.#clients.values()) dropConnection(client)
    this.#clients.clear()
  }

  /** default_shard first, then those that can be asked: one shard that is down must not keep the others from serving. */
  #shardsOf(name: string): readonly Shard[] {
    const database = this.#topology().databases.find(one => one.name === name)
    const first = database?.shards.find(shard => shard.name === database.defaultShard)
    if (database === undefined || first === undefined) return []
    return [first, ...database.shards.filter(shard => shard !== first && primaryOf(shard)?.reachable === true)]
  }

  #declared(name: string): DatabaseConfig {
    const database = this.#config().databases.find(one => one.name === name)
    if (database === undefined) throw errorOf('no_such_database', { database: name })
    return database
  }

  #on<T>(name: string, shard: Shard, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const key = `${name}|${shard.name}`
    const before = this.#turns.get(key) ?? Promise.resolve()
    const turn = before.then(() => this.#ask(key, name, shard, work))
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    )
    return turn
  }

  async #ask<T>(key: string, name: string, shard: Shard, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.#client(key, name, shard)
    try {
      return await work(client)
    } catch (error) {
      // In doubt a new connection: the next question must not meet what is left of this one.
      this.#drop(key)
      throw error
    }
  }

  async #client(key: string, name: string, shard: Shard): Promise<pg.Client> {
    const node = primaryOf(shard)
    if (node === undefined) throw errorOf('no_primary', { shard: shard.name })
    const target = `${node.address}/${shard.dbname}/${node.start}`
    const kept = this.#clients.get(key)
    if (kept?.target === target) return kept.client
    this.#drop(key)
    const { control_user, control_password } = this.#declared(name)
    const client = await connectControl(
      { host: node.host, port: node.port, dbname: shard.dbname, user: control_user, password: control_password },
      {
        tls: this.#config().server.tls,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        queryTimeoutMs: QUERY_TIMEOUT_MS,
        applicationName: 'shardway catalog',
      },
    )
    if (this.#closed) {
      dropConnection(client)
      throw errorOf('shutting_down')
    }
    this.#clients.set(key, { target, client })
    return client
  }

  #drop(key: string): void {
    const kept = this.#clients.get(key)
    if (kept !== undefined) dropConnection(kept.client)
    this.#clients.delete(key)
  }
}
