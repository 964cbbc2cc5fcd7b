/** The pools' shares as the control process keeps them: state around the pure steps of shares.ts. */
import { poolSettings } from '../config/pool-settings.ts'
import type { Config } from '../config/schema.ts'
import type { ToWorker } from './messages.ts'
import {
  newShares,
  type PoolShares,
  resized,
  returnedShare,
  type ShareStep,
  wantShare,
  workerReplaced,
} from './shares.ts'

export class SharesKeeper {
  readonly #workers: number
  readonly #send: (index: number, message: ToWorker) => void
  #config: Config
  readonly #pools = new Map<string, PoolShares>()

  constructor(workers: number, config: Config, send: (index: number, message: ToWorker) => void) {
    this.#workers = workers
    this.#config = config
    this.#send = send
  }

  want(pool: string, worker: number): void {
    this.#take(pool, wantShare(this.#shares(pool), worker))
  }

  returned(pool: string, worker: number, size: number): void {
    this.#take(pool, returnedShare(this.#shares(pool), worker, size))
  }

  /** Before the new worker gets clients. */
  replaced(worker: number): void {
    for (const [pool, shares] of this.#pools) this.#take(pool, workerReplaced(shares, worker))
  }

  reconfigure(config: Config): void {
    this.#config = config
    for (const [pool, shares] of this.#pools) {
      const total = this.#total(pool)
      if (total !== shares.total) this.#take(pool, resized(shares, total))
    }
  }

  #shares(pool: string): PoolShares {
    return this.#pools.get(pool) ?? newShares(this.#total(pool), this.#workers)
  }

  /** Pools are named `database|user|node`; names with a bar in them take the general size. */
  #total(pool: string): number {
    const [database = '', user = ''] = pool.split('|')
    return poolSettings(this.#config, database, user).size
  }

  #take(pool: string, step: ShareStep): void {
    this.#pools.set(pool, step.shares)
    for (const message of step.messages) {
      if (message.type === 'lend') this.#send(message.to, { type: 'lend', pool })
      else this.#send(message.to, { type: 'share', pool, size: message.size })
    }
  }
}
