/**
 * What the workers are told: config, topology and catalogs, put together from the watch, the store, the mirrors and the
 * catalogs. A database is published when its mirrors allow it and its catalog is there; until then workers answer 57P03.
 */
import { createHmac } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Materials } from '../config/materials.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import { adoptNewest } from '../topology/adopt.ts'
import { assemble, carryOver } from '../topology/assemble.ts'
import { primaryOf, type Shard, type Topology } from '../topology/topology.ts'
import type { View } from '../topology/view.ts'
import { ControlCatalogSource } from './catalog-source.ts'
import { CatalogKeeper } from './catalogs.ts'
import type { SharedMaterials, Snapshot, Watermark } from './messages.ts'
import { MirrorKeeper } from './mirror-keeper.ts'
import { NodeWatch } from './node-watch.ts'
import { incomplete, notReady } from './readiness.ts'
import { StateKeeper } from './state-keeper.ts'

export interface PublisherOptions {
  readonly log: Log
  readonly config: () => Config
  readonly materials: () => Materials
  readonly publish: (snapshot: Snapshot) => Promise<void>
  readonly watermarks: (watermarks: readonly Watermark[]) => void
  /** Number of workers that have acknowledged everything up to a sequence. */
  readonly upToDate: (since: number) => number
  readonly sequence: () => number
  readonly workers: number
  readonly draining: () => boolean
}

interface Running {
  readonly state: StateKeeper
  readonly watch: NodeWatch
  readonly mirrors: MirrorKeeper
  readonly catalogs: CatalogKeeper
  readonly source: ControlCatalogSource
}

export class Publisher {
  readonly #options: PublisherOptions
  #running: Running | null = null
  #published: Topology | null = null
  #publishedCatalogs: readonly Catalog[] = []
  /** Sequence of the first snapshot that had all; Infinity while something is missing. */
  #completeSince = Number.POSITIVE_INFINITY
  #primaries = ''

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** `looking`: another process writes the store and the mirrors, until `keepState`. */
  async start(looking = false): Promise<void> {
    const { log } = this.#options
    const config = this.#options.config()
    const state = await StateKeeper.open(config, log, () => this.#viewChanged(), looking)
    const watch = new NodeWatch(state.view, {
      log,
      changed: view => state.use(view),
      watermarks: this.#options.watermarks,
    })
    const mirrors = new MirrorKeeper(
      {
        log,
        config: this.#options.config,
        view: () => state.view,
        stateId: () => state.id,
        changed: () => void this.#publish(),
      },
      looking ? 'look' : 'keep',
    )
    const source = new ControlCatalogSource(this.#options.config, () => state.view.topology)
    const catalogs = new CatalogKeeper({ log, source, publish: () => this.#publish() })
    this.#running = { state, watch, mirrors, catalogs, source }
    void this.#options.publish({ config, materials: this.#materials(state.id) })
    watch.use(state.view, config)
    catalogs.watch(config.databases.map(database => database.name))
    mirrors.beat()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = null
    running?.watch.stop()
    running?.mirrors.stop()
    running?.catalogs.stop()
    running?.source.close()
    await running?.state.close()
  }

  /** Nothing is written to the store and the mirrors any more when it resolves: another process takes over. */
  async leaveState(): Promise<void> {
    await this.#running?.mirrors.leave()
    await this.#running?.state.pause()
  }

  /** The store and the mirrors are this process's to write. */
  keepState(): void {
    this.#running?.state.resume()
    this.#running?.mirrors.keep()
  }

  /** What the workers have been told last. */
  topology(): Topology {
    return this.#running?.state.view.topology ?? { epoch: 0, databases: [] }
  }

  catalogs(): readonly Catalog[] {
    return this.#running?.catalogs.all() ?? []
  }

  watermarks(): readonly Watermark[] {
    return this.#running?.watch.watermarks ?? []
  }

  suspect(database: string, shard: string, address: string): void {
    this.#running?.watch.probeNow(database, shard, address)
  }

  renewCatalog(database: string): Promise<void> {
    return this.#running?.catalogs.renew(database) ?? Promise.resolve()
  }

  notReady(): string | null {
    const running = this.#running
    if (running === null) return 'starting'
    return notReady({
      ...this.#readiness(running),
      workers: this.#options.workers,
      workersUpToDate: this.#options.upToDate(this.#completeSince),
    })
  }

  async reconfigure(config: Config): Promise<void> {
    const running = this.#running
    if (running === null) return
    const { view, notes } = assemble(config, running.state.stored)
    for (const note of notes) this.#options.log.warn({ event: 'state-differs' }, note)
    const next = carryOver(running.watch.view, view)
    running.watch.use(next, config)
    running.state.use(next)
    running.catalogs.watch(config.databases.map(database => database.name))
    running.catalogs.stir()
    await this.#options.publish({ config, materials: this.#materials(running.state.id) })
  }

  /** `shardway state recover`: the shards' newest maps become ours. @throws ShardwayError while another proxy lives. */
  async recover(): Promise<void> {
    const running = this.#running
    if (running === null) return
    const view: View = adoptNewest(running.watch.view, await running.mirrors.newest())
    running.watch.use(view, this.#options.config())
    running.state.use(view)
    await running.state.settled()
    await running.mirrors.takeOver()
    this.#options.log.warn(
      { event: 'state-recovered', epoch: view.topology.epoch },
      'the state was rebuilt from the shards',
    )
  }

  #viewChanged(): void {
    const running = this.#running
    if (running === null) return
    const primaries = JSON.stringify(
      running.state.view.topology.databases.map(database => database.shards.map(primaryKey)),
    )
    if (primaries !== this.#primaries) {
      this.#primaries = primaries
      running.mirrors.beat()
      running.catalogs.stir()
    }
    void this.#publish()
  }

  /** The state's id is random, secret and stays over restarts: so does what unknown users show. */
  #materials(stateId: string): SharedMaterials {
    const seed = createHmac('sha256', stateId).update('shardway: salts of unknown users').digest('base64')
    return { ...this.#options.materials(), seed }
  }

  #readiness(running: Running): Parameters<typeof incomplete>[0] {
    return {
      draining: this.#options.draining(),
      topology: running.state.view.topology,
      verdict: name => running.mirrors.verdict(name),
      hasCatalog: name => running.catalogs.has(name),
    }
  }

  /** Tells the workers what is different; resolves when they all have it. */
  async #publish(): Promise<void> {
    const running = this.#running
    if (running === null) return
    const full = running.state.view.topology
    const databases = full.databases.filter(
      database => running.mirrors.verdict(database.name)?.serve === true && running.catalogs.has(database.name),
    )
    const catalogs = running.catalogs.all()
    const before = this.#published
    const sameTopology =
      before !== null &&
      before.epoch === full.epoch &&
      before.databases.length === databases.length &&
      before.databases.every((database, i) => database === databases[i])
    const sameCatalogs =
      catalogs.length === this.#publishedCatalogs.length &&
      catalogs.every((one, i) => one === this.#publishedCatalogs[i])
    let snapshot: Snapshot = {}
    if (!sameTopology) {
      this.#published = { epoch: full.epoch, databases }
      snapshot = { ...snapshot, topology: this.#published }
    }
    if (!sameCatalogs) {
      this.#publishedCatalogs = catalogs
      snapshot = { ...snapshot, catalogs }
    }
    const everywhere = sameTopology && sameCatalogs ? Promise.resolve() : this.#options.publish(snapshot)
    const complete = incomplete(this.#readiness(running)) === null
    if (!complete) this.#completeSince = Number.POSITIVE_INFINITY
    else if (this.#completeSince === Number.POSITIVE_INFINITY) this.#completeSince = this.#options.sequence()
    await everywhere
  }
}

/** A shard that comes back may have other OIDs than the catalog says. */
function primaryKey(shard: Shard): string {
  const primary = primaryOf(shard)
  return primary === undefined ? '' : `${primary.address} ${primary.reachable}`
}
