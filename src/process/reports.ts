/** Asks the workers: numbers for SHOW and /metrics, and commands that are done when all have answered. */
import type { ToControl, ToWorker, WorkerCommand, WorkerReport } from './messages.ts'

/** A busy worker is left out of one listing rather than holding it up. */
const REPORT_TIMEOUT_MS = 1000
const COMMAND_TIMEOUT_MS = 5000

interface Pending {
  readonly serial: number
  readonly resolve: (message: ToControl | null) => void
}

export class WorkerRequests {
  readonly #send: (serial: number, message: ToWorker) => void
  readonly #workers: () => readonly number[]
  readonly #pending = new Map<number, Pending>()
  #next = 1
  #gathering: Promise<WorkerReport[]> | null = null

  /** `workers`: serials of those that are ready. */
  constructor(send: (serial: number, message: ToWorker) => void, workers: () => readonly number[]) {
    this.#send = send
    this.#workers = workers
  }

  /** Callers at one time share one round. */
  reports(): Promise<WorkerReport[]> {
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = null
    })
    return this.#gathering
  }

  /** Resolves with the error of the first worker that failed, or null. */
  async command(serials: readonly number[], command: WorkerCommand): Promise<string | null> {
    const answers = await Promise.all(
      serials.map(serial => this.#ask(serial, COMMAND_TIMEOUT_MS, request => ({ type: 'command', request, command }))),
    )
    for (const answer of answers) {
      if (answer === null) return 'a worker did not answer'
      if (answer.type === 'done' && answer.error !== null) return answer.error
    }
    return null
  }

  /** A `report` or `done`. */
  answered(serial: number, message: Extract<ToControl, { request: number }>): void {
    const pending = this.#pending.get(message.request)
    if (pending?.serial === serial) pending.resolve(message)
  }

  workerGone(serial: number): void {
    for (const pending of this.#pending.values()) if (pending.serial === serial) pending.resolve(null)
  }

  async #gather(): Promise<WorkerReport[]> {
    const answers = await Promise.all(
      this.#workers().map(serial => this.#ask(serial, REPORT_TIMEOUT_MS, request => ({ type: 'report', request }))),
    )
    return answers.flatMap(answer => (answer?.type === 'report' ? [answer.report] : []))
  }

  #ask(serial: number, timeoutMs: number, message: (request: number) => ToWorker): Promise<ToControl | null> {
    const request = this.#next++
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#pending.get(request)?.resolve(null), timeoutMs)
      const finish = (answer: ToControl | null): void => {
        clearTimeout(timer)
        this.#pending.delete(request)
        resolve(answer)
      }
      this.#pending.set(request, { serial, resolve: finish })
      this.#send(serial, message(request))
    })
  }
}
