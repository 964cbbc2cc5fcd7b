/** Messages that wait until the one before them is answered. */
import * as code from '../protocol/codes.ts'

const MAX_BYTES = 256 * 1024

export interface Frame {
  readonly type: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  /** Of a frame over the limit: bytes that follow. */
  readonly moreBytes: number
}

export class Inbox {
  #frames: Frame[] = []
  #bytes = 0

  get empty(): boolean {
    return this.#frames.length === 0
  }

  /** The client is to be paused: it has sent enough for now. */
  get full(): boolean {
    return this.#bytes > MAX_BYTES
  }

  put(frame: Frame): void {
    this.#frames.push(frame)
    this.#bytes += frame.end - frame.start
  }

  take(): Frame | undefined {
    const frame = this.#frames.shift()
    if (frame !== undefined) this.#bytes -= frame.end - frame.start
    return frame
  }

  clear(): void {
    this.#frames = []
    this.#bytes = 0
  }
}

/** What a client may send while a server waits for COPY data. */
export function isCopy(type: number): boolean {
  return type === code.COPY_DATA || type === code.COPY_DONE || type === code.COPY_FAIL
}
