/** One direction of one proxied connection: bytes in order, late, held back, or cut by what is in them. */
import type { Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client'

/**
 * What happens when bytes match:
 * - `drop`: both sides are reset, the matching bytes never arrive
 * - `drop-after`: the matching bytes arrive, then both sides are reset (the answer is lost)
 * - `stall`: the matching bytes and all later ones of this connection and direction are held back
 * - a number: they arrive that many milliseconds later
 */
export type FaultAction = 'drop' | 'drop-after' | 'stall' | number

export interface LaneHost {
  /** Milliseconds that every chunk of this direction waits now. */
  delayMs(direction: Direction): number
  stalled(direction: Direction): boolean
  /** What arrives instead of these bytes. */
  mutate(direction: Direction, bytes: Buffer): Buffer
  /** The action of the first trigger that matches, if any. `text` is latin1. */
  match(direction: Direction, text: string): FaultAction | undefined
}

// A statement may be split over chunks; so much of the last bytes is looked at again.
const TAIL_BYTES = 4096
const PAUSE_ABOVE_BYTES = 1 << 20

interface Chunk {
  readonly bytes: Buffer
  readonly dueMs: number
  readonly dropAfter: boolean
}

export class FaultLane {
  readonly #host: LaneHost
  readonly #direction: Direction
  readonly #from: Socket
  readonly #to: Socket
  readonly #drop: () => void
  #queue: Chunk[] = []
  #queuedBytes = 0
  #tail = ''
  #held = false
  #ended = false
  #blocked = false
  #timer: NodeJS.Timeout | undefined

  constructor(host: LaneHost, direction: Direction, from: Socket, to: Socket, drop: () => void) {
    this.#host = host
    this.#direction = direction
    this.#from = from
    this.#to = to
    this.#drop = drop
    from.on('data', bytes => this.#take(bytes))
    from.on('end', () => {
      this.#ended = true
      this.pump()
    })
    to.on('drain', () => {
      this.#blocked = false
      this.pump()
    })
  }

  /** Called again when a fault has been lifted. */
  pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (!this.#blocked && !this.#held && !this.#host.stalled(this.#direction)) {
      const chunk = this.#queue[0]
      if (chunk === undefined) {
        if (this.#ended && !this.#to.writableEnded) this.#to.end()
        break
      }
      const waitMs = chunk.dueMs - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), Math.ceil(waitMs))
        break
      }
      this.#queue.shift()
      this.#queuedBytes -= chunk.bytes.length
      if (chunk.dropAfter) {
        this.#to.write(chunk.bytes, () => this.#drop())
        this.#held = true
        return
      }
      this.#blocked = !this.#to.write(chunk.bytes)
    }
    if (this.#queuedBytes < PAUSE_ABOVE_BYTES) this.#from.resume()
  }

  /** Lets go of bytes that a trigger held back. */
  release(): void {
    this.#held = false
    this.pump()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#queue = []
    this.#held = true
  }

  #take(chunk: Buffer): void {
    const bytes = this.#host.mutate(this.#direction, chunk)
    const text = this.#tail + bytes.toString('latin1')
    const action = this.#host.match(this.#direction, text)
    // What has matched is not looked at again.
    this.#tail = action === undefined ? text.slice(-TAIL_BYTES) : ''
    if (action === 'drop') {
      this.#drop()
      return
    }
    if (action === 'stall') this.#held = true
    const delayMs = this.#host.delayMs(this.#direction) + (typeof action === 'number' ? action : 0)
    const before = this.#queue.at(-1)?.dueMs ?? 0
    this.#queue.push({
      bytes,
      dueMs: delayMs === 0 ? before : Math.max(before, performance.now() + delayMs),
      dropAfter: action === 'drop-after',
    })
    this.#queuedBytes += bytes.length
    if (this.#queuedBytes >= PAUSE_ABOVE_BYTES) this.#from.pause()
    this.pump()
  }
}
