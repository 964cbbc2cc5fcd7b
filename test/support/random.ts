/** Numbers that a seed reproduces (mulberry32): a failing run is run again with the seed it printed. */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed | 0
  }

  /** 0 ≤ n < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** 0 … bound-1 */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  /** By weight. */
  weighted<T>(from: ReadonlyArray<readonly [weight: number, value: T]>): T {
    let left = this.next() * from.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of from) {
      left -= weight
      if (left < 0) return value
    }
    return (from.at(-1) as readonly [number, T])[1]
  }
}

/** From SHARDWAY_TEST_SEED, else a new one; printed, so that a failure can be repeated. */
export function seeded(what: string): Random {
  const given = Number(process.env['SHARDWAY_TEST_SEED'])
  const seed = Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7ffffffe)
  process.stdout.write(`${what}: SHARDWAY_TEST_SEED=${seed}\n`)
  return new Random(seed)
}
