/** Watches every node of every shard: monitors, the reducer's view, and the samplers of watermarks. */
import type { ControlOptions } from '../../pool/control-connection.ts'
import { NodeMonitor } from '../../pool/health.ts'
import type { ReplicaMark } from '../../pool/watermark-ledger.ts'
import { WatermarkSampler } from '../../pool/watermark-sampler.ts'
import type { Config } from '../config/schema.ts'
import { nowUs } from '../observe/clock.ts'
import type { Log } from '../observe/log.ts'
import { reduce, type TopologyEvent } from '../topology/reducer.ts'
import { primaryOf, type Shard, shardNamed } from '../topology/topology.ts'
import { nodeKey, shardKey, type View } from '../topology/view.ts'
import type { Watermark } from './messages.ts'

/** Of a probe's connection and query: past it the node counts as silent. */
const PROBE_TIMEOUT_MS = 1000
/** Rounds of several shards that end close together travel to the workers as one message. */
const WATERMARK_DELAY_MS = 10

export interface NodeWatchOptions {
  readonly log: Log
  /** The topology object is another one. */
  readonly changed: (view: View) => void
  readonly watermarks: (watermarks: readonly Watermark[]) => void
}

interface Monitored {
  readonly settings: string
  readonly monitor: NodeMonitor
}

export class NodeWatch {
  readonly #options: NodeWatchOptions
  readonly #monitors = new Map<string, Monitored>()
  readonly #samplers = new Map<string, WatermarkSampler>()
  readonly #marks = new Map<string, readonly Watermark[]>()
  #view: View
  #timer: NodeJS.Timeout | null = null

  constructor(view: View, options: NodeWatchOptions) {
    this.#view = view
    this.#options = options
  }

  get view(): View {
    return this.#view
  }

  get watermarks(): Watermark[] {
    return [...this.#marks.values()].flat()
  }

  /** Takes a new view (start, reload, recovery) and watches exactly its nodes. */
  use(view: View, config: Config): void {
    this.#view = view
    const wanted = new Set<string>()
    const shards = new Set<string>()
    for (const database of view.topology.databases) {
      const login = config.databases.find(one => one.name === database.name)
      if (login === undefined) continue
      for (const shard of database.shards) {
        const key = shardKey(database.name, shard.name)
        shards.add(key)
        if (!this.#samplers.has(key)) this.#sample(database.name, shard.name, key)
        for (const node of shard.nodes) {
          wanted.add(nodeKey(database.name, shard.name, node.address))
          this.#monitor(database.name, shard, node.address, config, login)
        }
      }
    }
    for (const [key, { monitor }] of this.#monitors) {
      if (wanted.has(key)) continue
      monitor.stop()
      this.#monitors.delete(key)
    }
    for (const [key, sampler] of this.#samplers) {
      if (shards.has(key)) continue
      sampler.stop()
      this.#samplers.delete(key)
      this.#marks.delete(key)
    }
  }

  probeNow(database: string, shard: string, address: string): void {
    this.#monitors.get(nodeKey(database, shard, address))?.monitor.probeNow()
  }

  stop(): void {
    for (const { monitor } of this.#monitors.values()) monitor.stop()
    for (const sampler of this.#samplers.values()) sampler.stop()
    this.#monitors.clear()
    this.#samplers.clear()
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #monitor(database: string, shard: Shard, address: string, config: Config, login: Config['databases'][number]): void {
    const key = nodeKey(database, shard.name, address)
    const node = shard.nodes.find(one => one.address === address)
    if (node === undefined) return
    const target = {
      host: node.host,
      port: node.port,
      dbname: shard.dbname,
      user: login.control_user,
      password: login.control_password,
    }
    const probeMs = config.failover.probe
    const settings = JSON.stringify([target, probeMs, config.server.tls])
    const present = this.#monitors.get(key)
    if (present?.settings === settings) return
    present?.monitor.stop()
    const connection: ControlOptions = {
      tls: config.server.tls,
      connectTimeoutMs: PROBE_TIMEOUT_MS,
      queryTimeoutMs: PROBE_TIMEOUT_MS,
      applicationName: 'shardway monitor',
    }
    const monitor = new NodeMonitor({
      database,
      shard: shard.name,
      address,
      target,
      connection,
      probeMs,
      observe: observation => {
        const step = reduce(this.#view, observation)
        for (const event of step.events) this.#tell(event)
        const changed = step.view.topology !== this.#view.topology
        // Also without a change of the topology: a first choice may wait for a look at every node.
        const first = step.view.observed.size !== this.#view.observed.size
        this.#view = step.view
        if (changed || first) this.#options.changed(step.view)
      },
      failed: reason =>
        this.#options.log.warn(
          { event: 'node-unreachable', database, shard: shard.name, address, reason },
          `node ${address} cannot be reached: ${reason}`,
        ),
    })
    this.#monitors.set(key, { settings, monitor })
    monitor.start()
  }

  #sample(database: string, shardName: string, key: string): void {
    const connected = (address: string): NodeMonitor | null =>
      this.#monitors.get(nodeKey(database, shardName, address))?.monitor ?? null
    const nodes = (): { primary: NodeMonitor | null; replicas: NodeMonitor[] } => {
      const topology = this.#view.topology.databases.find(one => one.name === database)
      const shard = topology === undefined ? undefined : shardNamed(topology, shardName)
      if (shard === undefined) return { primary: null, replicas: [] }
      const primary = primaryOf(shard)
      const replicas = shard.nodes.filter(node => node.role === 'replica' && node.reachable)
      return {
        primary: primary?.reachable === true ? connected(primary.address) : null,
        replicas: replicas.flatMap(node => connected(node.address) ?? []),
      }
    }
    const publish = (marks: readonly ReplicaMark[]): void => {
      const before = this.#marks.get(key)
      if (marks.length === 0 && (before === undefined || before.length === 0)) return
      this.#marks.set(
        key,
        marks.map(mark => ({ database, shard: shardName, ...mark })),
      )
      this.#timer ??= setTimeout(() => {
        this.#timer = null
        this.#options.watermarks(this.watermarks)
      }, WATERMARK_DELAY_MS)
    }
    const sampler = new WatermarkSampler({ nodes, nowUs, publish })
    this.#samplers.set(key, sampler)
    sampler.start()
  }

  #tell(event: TopologyEvent): void {
    const { kind, ...fields } = event
    const alarming = kind === 'two-primaries' || kind === 'foreign-node' || kind === 'primary-lost'
    const text = `shard ${event.shard} of ${event.database}: ${kind.replace('-', ' ')}`
    if (alarming) this.#options.log.error({ event: kind, ...fields }, text)
    else this.#options.log.info({ event: kind, ...fields }, text)
  }
}
