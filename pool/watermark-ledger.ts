/**
 * What one shard's replicas are known to have replayed (soundness 21). Pure: positions in, watermarks out.
 *
 * A sample (t, L): L was the primary's insert position, asked for after t, so every commit answered before t lies below L.
 * A replica on the primary's timeline that has replayed L has replayed all of them.
 */

export interface Position {
  readonly lsn: bigint
  readonly timeline: number
  /** `startId` of the server that answered. */
  readonly start: string
}

export interface ReplicaMark {
  readonly address: string
  readonly start: string
  readonly replayedUs: number
  readonly lagUs: number
}

interface Sample {
  readonly atUs: number
  readonly lsn: bigint
}

/** 100 ms apart this is more than a minute; a replica further behind than that waits for the oldest. */
const MAX_SAMPLES = 1024

export class WatermarkLedger {
  #primary = ''
  #timeline = 0
  #samples: Sample[] = []
  readonly #marks = new Map<string, ReplicaMark>()

  /** `atUs`: before the question was sent. Returns true when the position moved since the last sample. */
  sample(atUs: number, position: Position): boolean {
    if (position.start !== this.#primary) {
      // Positions of another start or server are not comparable: unflushed WAL of the old one may have been lost.
      this.#primary = position.start
      this.#timeline = position.timeline
      this.#samples = []
    }
    const last = this.#samples.at(-1)
    const moved = last === undefined || last.lsn !== position.lsn
    // The same position later: the later time is true as well, and better.
    if (!moved) this.#samples.pop()
    else if (this.#samples.length >= MAX_SAMPLES) this.#thin()
    this.#samples.push({ atUs, lsn: position.lsn })
    return moved
  }

  /** Drops every second sample of the older half: far behind, a coarse answer is enough. */
  #thin(): void {
    const half = this.#samples.length / 2
    this.#samples = this.#samples.filter((_, i) => i >= half || i % 2 === 0)
  }

  replica(address: string, position: Position, nowUs: number): void {
    const before = this.#marks.get(address)
    const known = before !== undefined && before.start === position.start ? before.replayedUs : -1
    let replayedUs = known
    let current = false
    if (position.timeline === this.#timeline) {
      for (let i = this.#samples.length - 1; i >= 0; i--) {
        const sample = this.#samples[i]
        if (sample === undefined || sample.lsn > position.lsn) continue
        replayedUs = Math.max(replayedUs, sample.atUs)
        current = i === this.#samples.length - 1
        break
      }
    }
    const lagUs = current ? 0 : replayedUs < 0 ? -1 : Math.max(0, nowUs - replayedUs)
    this.#marks.set(address, { address, start: position.start, replayedUs, lagUs })
    this.#forgetSamples()
  }

  /** Not a replica any more, or not reachable: nothing is known of it from here on. */
  forget(address: string): void {
    this.#marks.delete(address)
    this.#forgetSamples()
  }

  /** Only replicas of which something is known. */
  marks(): ReplicaMark[] {
    return [...this.#marks.values()].filter(mark => mark.replayedUs >= 0)
  }

  /** Samples that every replica has passed serve nobody, except the last one. */
  #forgetSamples(): void {
    let least = Number.POSITIVE_INFINITY
    for (const mark of this.#marks.values()) least = Math.min(least, mark.replayedUs)
    let drop = 0
    while (drop < this.#samples.length - 1 && (this.#samples[drop]?.atUs ?? 0) < least) drop++
    if (drop > 0) this.#samples.splice(0, drop)
  }
}
