/**
 * Asks one shard's nodes how far they are and keeps the ledger. Often while the primary writes, seldom when it idles; the
 * questions travel on the monitors' connections.
 */
import { EMIT, parseLsn, PRIMARY_POSITION, positionRow, REPLICA_POSITION, startId } from './node-query.ts'
import { type Position, type ReplicaMark, WatermarkLedger } from './watermark-ledger.ts'

export const SAMPLE_BUSY_MS = 100
export const SAMPLE_IDLE_MS = 1000
const EMIT_EVERY_US = 1_000_000
/** After the last movement; longer than the pause between our own messages would never let it idle. */
const BUSY_FOR_US = 500_000

export interface SampledNode {
  readonly address: string
  readonly connected: boolean
  query(text: string): Promise<Array<Record<string, unknown>>>
  /** Highest timeline seen of that start of the server, `timeline` included. */
  knownTimeline(start: string, timeline: number): number
}

export interface SamplerOptions {
  /** Reachable nodes by their present roles. Asked before each round. */
  readonly nodes: () => { readonly primary: SampledNode | null; readonly replicas: readonly SampledNode[] }
  readonly nowUs: () => number
  /** After each round. */
  readonly publish: (marks: readonly ReplicaMark[]) => void
}

async function positionOf(node: SampledNode, text: string): Promise<(Position & { recovery: boolean }) | null> {
  const row = positionRow.parse((await node.query(text))[0])
  if (row.lsn === null) return null
  const timeline = node.knownTimeline(row.start, row.timeline)
  return { lsn: parseLsn(row.lsn), timeline, start: startId(row.start, timeline), recovery: row.recovery }
}

export class WatermarkSampler {
  readonly #options: SamplerOptions
  readonly #ledger = new WatermarkLedger()
  #known = new Set<string>()
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  #emittedUs = 0
  #ignoreNextMove = false
  #movedUs = 0

  constructor(options: SamplerOptions) {
    this.#options = options
  }

  start(): void {
    this.#schedule(0)
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #schedule(delayMs: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#tick(), delayMs)
  }

  async #tick(): Promise<void> {
    const startedUs = this.#options.nowUs()
    await this.round()
    const busy = startedUs - this.#movedUs < BUSY_FOR_US
    const spentMs = (this.#options.nowUs() - startedUs) / 1000
    this.#schedule(Math.max(10, (busy ? SAMPLE_BUSY_MS : SAMPLE_IDLE_MS) - spentMs))
  }

  /** One round of questions; never rejects. */
  async round(): Promise<void> {
    const { primary, replicas } = this.#options.nodes()
    for (const address of this.#known) {
      if (!replicas.some(node => node.address === address)) this.#ledger.forget(address)
    }
    this.#known = new Set(replicas.map(node => node.address))
    if (replicas.length === 0) {
      if (!this.#stopped) this.#options.publish([])
      return
    }
    if (primary?.connected === true) await this.#askPrimary(primary)
    await Promise.all(replicas.map(node => this.#askReplica(node)))
    if (!this.#stopped) this.#options.publish(this.#ledger.marks())
  }

  async #askPrimary(primary: SampledNode): Promise<void> {
    const atUs = this.#options.nowUs()
    try {
      const position = await positionOf(primary, PRIMARY_POSITION)
      if (position === null) return
      const moved = this.#ledger.sample(atUs, position)
      // Our own message moves the position too: that alone is no sign of writes.
      if (moved && !this.#ignoreNextMove) this.#movedUs = atUs
      this.#ignoreNextMove = false
      if (atUs - this.#emittedUs < EMIT_EVERY_US * 0.9) return
      this.#emittedUs = atUs
      await primary.query(EMIT)
      this.#ignoreNextMove = true
    } catch {
      // The monitor on the same connection sees the failure and reports it.
    }
  }

  async #askReplica(node: SampledNode): Promise<void> {
    if (!node.connected) return
    try {
      const position = await positionOf(node, REPLICA_POSITION)
      if (position?.recovery === true) this.#ledger.replica(node.address, position, this.#options.nowUs())
    } catch {
      // As above; what was known of this start stays true.
    }
  }
}
