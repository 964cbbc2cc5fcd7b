/** How a proxy starts: alone, or in the place of one that runs with the same state. docs/internals/handover.md */
import type { Log } from '../../observe/log.ts'
import { ShardwayError } from '../../errors/shardway-error.ts'
import { Holder } from './holder.ts'
import type { Predecessor } from './predecessor.ts'

const READY_MS = 30_000
const LOOK_MS = 50

export interface SuccessionOptions {
  readonly statePath: string
  readonly reusePort: boolean
  readonly log: Log
  /** Resolves when every worker knows whether other processes serve clients of the same state. */
  readonly alone: (alone: boolean) => Promise<void>
  /** Resolves when nothing is written any more to the state file and its mirrors. */
  readonly leaveState: () => Promise<void>
  /** State file and mirrors are this process's to write. */
  readonly keepState: () => void
  /** `looking`: without writing either. */
  readonly start: (looking: boolean) => Promise<void>
  readonly listen: () => Promise<void>
  readonly notReady: () => string | null
  /** Stop listening and let the clients finish. */
  readonly leave: () => void
  readonly cancel: (pid: number, secret: string) => void
}

export class Succession {
  readonly #options: SuccessionOptions
  readonly #holder: Holder
  #before: Predecessor | null = null

  constructor(options: SuccessionOptions) {
    const { log, statePath, reusePort } = options
    this.#options = options
    this.#holder = new Holder({
      statePath,
      reusePort,
      yieldTo: async pid => {
        log.info({ event: 'yielding', pid }, `process ${pid} takes over`)
        await options.alone(false)
        await options.leaveState()
      },
      resume: () => {
        log.warn({ event: 'resumed' }, 'the process that took over is gone: this one goes on')
        options.keepState()
        void options.alone(true)
      },
      leave: () => {
        log.info({ event: 'left' }, 'another process has taken over: this one listens no more')
        options.leave()
      },
      cancel: options.cancel,
    })
  }

  /** Starts and listens. @throws ShardwayError; whoever held the state before goes on then. */
  async start(): Promise<void> {
    const before = await this.#holder.open()
    if (before === null) {
      await this.#options.listen()
      await this.#options.start(false)
    } else await this.#takeOver(before)
  }

  /** A cancel request whose key is none of ours. */
  cancelElsewhere(pid: number, secret: string): void {
    this.#before?.cancel(pid, secret)
  }

  close(): void {
    this.#holder.close()
  }

  async #takeOver(before: Predecessor): Promise<void> {
    const { log, alone, start, listen, keepState } = this.#options
    log.info({ event: 'taking-over', pid: before.pid }, `taking over from process ${before.pid}`)
    await before.take()
    void alone(false)
    await start(true)
    await this.#ready()
    await listen()
    this.#before = before
    await before.serving()
    this.#holder.hold()
    keepState()
    log.info({ event: 'took-over', pid: before.pid }, `process ${before.pid} listens no more; its clients may finish`)
    void before.ended.then(() => {
      this.#before = null
      log.info({ event: 'predecessor-ended', pid: before.pid }, `process ${before.pid} has ended`)
      return alone(true)
    })
  }

  async #ready(): Promise<void> {
    const { notReady } = this.#options
    const deadline = performance.now() + READY_MS
    for (let reason = notReady(); reason !== null; reason = notReady()) {
      if (performance.now() > deadline) {
        throw new ShardwayError('handover_failed', '55006', `cannot take over from the proxy that runs: ${reason}`, {
          hint: 'The other one goes on as before.',
        })
      }
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }
}
