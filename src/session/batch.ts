/** Extended messages on their way to becoming a unit, or a part of one. */
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { Step, Unit } from '../execute/unit.ts'

/** Kept for one unit before what is there is sent on. */
const MAX_BYTES = 1024 * 1024

export class Batch {
  #steps: Step[] = []
  #bytes = 0
  /** What is wrong with the next message: with it the batch ends. */
  error: ShardwayError | null = null

  get steps(): readonly Step[] {
    return this.#steps
  }

  get empty(): boolean {
    return this.#steps.length === 0
  }

  get full(): boolean {
    return this.#bytes > MAX_BYTES
  }

  add(step: Step): void {
    this.#steps.push(step)
    this.#bytes += step.end - step.start
  }

  take(complete: boolean): Unit {
    const unit: Unit = { steps: this.#steps, complete, simple: false, error: this.error }
    this.clear()
    return unit
  }

  clear(): void {
    this.#steps = []
    this.#bytes = 0
    this.error = null
  }
}
