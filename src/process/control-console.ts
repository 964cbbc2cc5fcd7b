/** What the control process shows: to the admin console, to /metrics and to the dashboard. */
import { Counter, Gauge, Registry } from 'prom-client'
import { explainRoute } from '../admin/explain-statement.ts'
import { slotsByShard } from '../admin/slots-by-shard.ts'
import { STATS_PERIOD_MS, StatsHistory } from '../admin/stats-history.ts'
import type { Config } from '../config/schema.ts'
import { type TopologyView, topologyView } from '../dashboard/api.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { Log } from '../observe/log.ts'
import { metricsText } from '../observe/metrics.ts'
import { VERSION } from '../observe/version.ts'
import { databaseCommands } from './database-commands.ts'
import { answerConsole, type ConsoleRequest, type ConsoleServices } from './console-requests.ts'
import type { ToWorker } from './messages.ts'
import type { PoolKeeper } from './pool-keeper.ts'
import type { Publisher } from './publisher.ts'
import type { WorkerRequests } from './reports.ts'

export interface ControlConsoleOptions {
  readonly log: Log
  readonly configPath: string
  readonly config: () => Config
  readonly publisher: Publisher
  readonly requests: WorkerRequests
  /** Serials of the workers that are ready. */
  readonly workers: () => readonly number[]
  /** Serial of the worker that has this client, -1 for none. */
  readonly workerOf: (client: number) => number
  readonly restarts: () => number
  readonly clients: () => number
  readonly refused: () => number
  readonly reload: () => Promise<void>
  readonly pools: PoolKeeper
  readonly drain: (patient: boolean) => void
  readonly stop: () => void
}

/** Time for the console's own answer to get out. */
const STOP_DELAY_MS = 50

function failed(error: string | null): void {
  if (error !== null) throw new ShardwayError('command_failed', 'XX000', error)
}

export class ControlConsole {
  readonly #options: ControlConsoleOptions
  readonly #history = new StatsHistory(Date.now())
  readonly #timer: NodeJS.Timeout

  constructor(options: ControlConsoleOptions) {
    this.#options = options
    this.#timer = setInterval(() => {
      void options.requests.reports().then(reports => this.#history.record(reports, Date.now()))
    }, STATS_PERIOD_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  answer(request: ConsoleRequest): Promise<ToWorker> {
    return answerConsole(request, this.#services(), this.#options.log)
  }

  async metrics(): Promise<string> {
    const { publisher, requests } = this.#options
    const reports = await requests.reports()
    const ready = publisher.notReady() === null
    const shared = await metricsText({
      version: VERSION,
      topology: publisher.topology(),
      watermarks: publisher.watermarks(),
      reports,
      ready,
      slotsOf: slotsByShard,
    })
    return `${shared}\n${await this.#ownMetrics()}`
  }

  async topologyView(): Promise<TopologyView> {
    const { publisher, requests } = this.#options
    const reports = await requests.reports()
    const facts = { version: VERSION, atMs: Date.now(), ready: publisher.notReady() === null }
    return topologyView(publisher.topology(), publisher.watermarks(), reports, facts)
  }

  #ownMetrics(): Promise<string> {
    const registry = new Registry()
    const { config, clients, refused, restarts } = this.#options
    const registers = [registry]
    new Gauge({ name: 'shardway_connected_clients', help: 'Clients of all workers', registers }).set(clients())
    const limit = new Gauge({ name: 'shardway_clients_limit', help: 'pool.max_client_conn', registers })
    limit.set(config().pool.max_client_conn)
    const closed = new Counter({
      name: 'shardway_clients_refused_total',
      help: 'Clients closed at once, past every limit',
      registers,
    })
    closed.inc(refused())
    const deaths = new Counter({
      name: 'shardway_worker_restarts_total',
      help: 'Workers that died and were started again',
      registers,
    })
    deaths.inc(restarts())
    return registry.metrics()
  }

  #services(): ConsoleServices {
    const { publisher, requests, workers, workerOf, reload, drain, stop } = this.#options
    return {
      config: this.#options.config(),
      configPath: this.#options.configPath,
      version: VERSION,
      nowMs: () => Date.now(),
      topology: () => publisher.topology(),
      catalogs: () => publisher.catalogs(),
      watermarks: () => publisher.watermarks(),
      reports: () => requests.reports(),
      statsWindow: () => this.#history.window(),
      reload,
      shutdown: mode => {
        if (mode === 'immediate') setTimeout(stop, STOP_DELAY_MS)
        else drain(mode === 'wait-for-clients')
        return Promise.resolve()
      },
      killClient: async id => {
        const serial = workerOf(id)
        if (serial < 0) return false
        failed(await requests.command([serial], { kind: 'kill-client', id }))
        return true
      },
      reconnect: async database => failed(await requests.command(workers(), { kind: 'reconnect', database })),
      ...databaseCommands({ pools: this.#options.pools, requests, workers }),
      explain: request => explainRoute(request, this.#options.config(), publisher.topology(), publisher.catalogs()),
    }
  }
}
