/**
 * One monitor per node, with one connection of the control user. Reports what it sees; draws no conclusions. A hard error
 * (refused, reset, shut down) counts at once, silence only when it repeats: a slow answer is not a death.
 */
import type { Client } from 'pg'
import type { NodeObservation } from '../src/topology/observation.ts'
import { type ControlOptions, type ControlTarget, connectControl, dropConnection } from './control-connection.ts'
import { PROBE, probeRow, startId } from './node-query.ts'

export interface MonitorOptions {
  readonly database: string
  readonly shard: string
  readonly address: string
  readonly target: ControlTarget
  readonly connection: ControlOptions
  readonly probeMs: number
  readonly observe: (observation: NodeObservation) => void
  /** Called once for each new reason that the node cannot be reached for. */
  readonly failed: (reason: string) => void
}

const SILENT_PROBES = 3
const RECONNECT_MIN_MS = 100

function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // pg gives its own time-outs no code.
  return /timeout/i.test(error.message) || ('code' in error && error.code === 'ETIMEDOUT')
}

export class NodeMonitor {
  readonly #options: MonitorOptions
  #client: Client | null = null
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  #probing = false
  #again = false
  #silent = 0
  #failures = 0
  #reason = ''
  #answered = false
  /** Highest timeline of the present start: a standby without a receiver falls back to its control file's older one. */
  #timeline = 0
  #start = ''

  constructor(options: MonitorOptions) {
    this.#options = options
  }

  get address(): string {
    return this.#options.address
  }

  start(): void {
    this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#disconnect()
  }

  /** Somebody saw the node behave oddly: look now. */
  probeNow(): void {
    if (this.#probing) this.#again = true
    else this.#schedule(0)
  }

  /** On the monitor's own connection, one after the other. Rejects when there is none at the moment. */
  async query(text: string): Promise<Array<Record<string, unknown>>> {
    const client = this.#client
    if (client === null) throw new Error(`node ${this.#options.address} is not connected`)
    return (await client.query<Record<string, unknown>>(text)).rows
  }

  get connected(): boolean {
    return this.#client !== null
  }

  /** The highest timeline that this start of the server has shown, `timeline` included. */
  knownTimeline(start: string, timeline: number): number {
    if (start !== this.#start) this.#timeline = 0
    this.#start = start
    this.#timeline = Math.max(this.#timeline, timeline)
    return this.#timeline
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#probe(), delayMs)
  }

  async #probe(): Promise<void> {
    this.#probing = true
    this.#again = false
    let delayMs = this.#options.probeMs
    try {
      const client = this.#client ?? (await this.#connect())
      const row = probeRow.parse((await client.query(PROBE)).rows[0])
      if (!this.#stopped) this.#seen(row)
    } catch (error) {
      if (!this.#stopped) delayMs = this.#missed(error)
    }
    this.#probing = false
    this.#schedule(this.#again ? 0 : delayMs)
  }

  async #connect(): Promise<Client> {
    const client = await connectControl(this.#options.target, this.#options.connection)
    if (this.#stopped) {
      dropConnection(client)
      throw new Error('stopped')
    }
    const lost = (): void => {
      if (this.#client !== client) return
      this.#disconnect()
      this.probeNow()
    }
    client.on('error', lost)
    client.on('end', lost)
    this.#client = client
    return client
  }

  #disconnect(): void {
    const client = this.#client
    this.#client = null
    if (client !== null) dropConnection(client)
  }

  #seen(row: { recovery: boolean; timeline: number; start: string; system: string }): void {
    this.#silent = 0
    this.#failures = 0
    this.#reason = ''
    this.#answered = true
    const timeline = this.knownTimeline(row.start, row.timeline)
    const { database, shard, address } = this.#options
    this.#options.observe({
      database,
      shard,
      address,
      reachable: true,
      inRecovery: row.recovery,
      timeline,
      start: startId(row.start, timeline),
      systemIdentifier: row.system,
    })
  }

  /** Returns when to look again. */
  #missed(error: unknown): number {
    this.#disconnect()
    const reason = error instanceof Error ? error.message : String(error)
    if (reason !== this.#reason) {
      this.#reason = reason
      this.#options.failed(reason)
    }
    this.#failures++
    const { database, shard, address, probeMs } = this.#options
    if (isTimeout(error) && this.#answered && ++this.#silent < SILENT_PROBES) return 0
    this.#silent = 0
    this.#answered = false
    this.#options.observe({
      database,
      shard,
      address,
      reachable: false,
      inRecovery: false,
      timeline: 0,
      start: '',
      systemIdentifier: '',
    })
    return Math.min(probeMs, RECONNECT_MIN_MS * 2 ** Math.min(this.#failures, 10))
  }
}
