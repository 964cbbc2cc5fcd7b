/** No new database clients, and the end when those who are here have finished. */
import type { ToWorker } from './messages.ts'

export interface DrainingOptions {
  /** Serials of the workers that are ready. */
  readonly workers: () => readonly number[]
  readonly broadcast: (message: ToWorker) => void
  readonly drained: () => void
}

export class Draining {
  readonly #options: DrainingOptions
  readonly #drained = new Set<number>()
  #how: 'patient' | 'now' | null = null

  constructor(options: DrainingOptions) {
    this.#options = options
  }

  get begun(): boolean {
    return this.#how !== null
  }

  /** What a worker that starts now is told; null for nothing. */
  get message(): ToWorker | null {
    return this.#how === null ? null : { type: 'drain', patient: this.#how === 'patient' }
  }

  /** Ends when the last transaction is done, or (`patient`) when the last client has gone. False: that has begun already. */
  begin(patient: boolean): boolean {
    if (this.#how === 'now' || (patient && this.#how !== null)) return false
    this.#how = patient ? 'patient' : 'now'
    this.#options.broadcast({ type: 'drain', patient })
    return true
  }

  workerDrained(serial: number): void {
    this.#drained.add(serial)
    this.look()
  }

  /** Call it when a worker has drained or is gone. */
  look(): void {
    if (this.#how === null) return
    if (this.#options.workers().every(serial => this.#drained.has(serial))) this.#options.drained()
  }
}
