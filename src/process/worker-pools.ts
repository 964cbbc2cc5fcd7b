/** A worker's side of what the control process divides: shares of pools, permits for connections. */
import { poolSettings } from '../config/pool-settings.ts'
import type { Config } from '../config/schema.ts'
import type { DatabaseContext } from '../execute/database-context.ts'
import type { PoolPlace, ToControl } from './messages.ts'
import { initialShare } from './shares.ts'

export interface WorkerPoolsOptions {
  readonly index: number
  readonly config: () => Config
  readonly database: (name: string) => DatabaseContext | undefined
  readonly send: (message: ToControl) => void
}

export class WorkerPools {
  readonly #options: WorkerPoolsOptions
  readonly #shares = new Map<string, number>()
  /** Where permits that came for a pool which is gone are given back to. */
  readonly #places = new Map<string, PoolPlace>()

  constructor(options: WorkerPoolsOptions) {
    this.#options = options
  }

  share(pool: string, size: number): void {
    this.#shares.set(pool, size)
    this.#pool(pool)?.setSize(size)
  }

  /** What this worker may open of a pool; it may have lent some of a pool that it never used. */
  shareOf(pool: string): number {
    const held = this.#shares.get(pool)
    if (held !== undefined) return held
    const config = this.#options.config()
    const [database = '', user = ''] = pool.split('|')
    return initialShare(poolSettings(config, database, user).size, config.listen.workers ?? 1, this.#options.index)
  }

  /** This worker's part of min_pool_size. */
  partOf(count: number): number {
    const workers = this.#options.config().listen.workers ?? 1
    return Math.floor(count / workers) + (this.#options.index < count % workers ? 1 : 0)
  }

  /** What is left after one share was lent, or not. */
  lend(pool: string): number {
    const size = this.shareOf(pool)
    const one = this.#pool(pool)
    const spare = one === undefined || one.maySpareShare
    if (size <= 1 || !spare) return size
    this.#shares.set(pool, size - 1)
    one?.setSize(size - 1)
    return size - 1
  }

  wantPermit(place: PoolPlace, reserve: boolean): void {
    this.#places.set(place.pool, place)
    this.#options.send({ type: 'want-permit', place, reserve })
  }

  permitBack(place: PoolPlace, reserve: boolean): void {
    this.#options.send({ type: 'permit-back', place, reserve })
  }

  permit(name: string, reserve: boolean): void {
    const pool = this.#pool(name)
    if (pool !== undefined) return pool.permit(reserve)
    const place = this.#places.get(name)
    if (place !== undefined) this.permitBack(place, reserve)
  }

  yield(name: string, onlyIdle: boolean): void {
    this.#pool(name)?.yield(onlyIdle)
  }

  #pool(name: string) {
    return this.#options.database(name.slice(0, name.indexOf('|')))?.pools.get(name)
  }
}
