/** The supervisor of the data processes: forks them, restarts them, and says who lives. */
import { type ChildProcess, fork } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ToControl, ToWorker } from './messages.ts'

const RESTART_MIN_MS = 100
const RESTART_MAX_MS = 5000
/** A worker that lived this long died of something new. */
const SETTLED_MS = 10_000
/** From fork to `ready`; loading the parser on a busy machine takes a while. */
const START_TIMEOUT_MS = 30_000

export interface WorkerProcess {
  readonly index: number
  /** Grows with each start: the name of this process everywhere. */
  readonly serial: number
  readonly pid: number
  ready: boolean
}

interface Slot {
  readonly index: number
  child: ChildProcess | null
  worker: WorkerProcess | null
  failures: number
  timer: NodeJS.Timeout | null
}

export interface SupervisorOptions {
  readonly count: number
  /** Of worker-main, beside this file. */
  readonly entry: URL
  readonly meshFolder: string
  readonly execArgv?: readonly string[]
  readonly onMessage: (worker: WorkerProcess, message: ToControl) => void
  readonly onExit: (worker: WorkerProcess, how: string, expected: boolean) => void
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #slots: Slot[]
  #serial = 0
  #stopping = false
  #allGone: (() => void) | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      child: null,
      worker: null,
      failures: 0,
      timer: null,
    }))
  }

  start(): void {
    for (const slot of this.#slots) this.#spawn(slot)
    this.#tellSiblings()
  }

  living(): WorkerProcess[] {
    return this.#slots.flatMap(slot => slot.worker ?? [])
  }

  ready(): WorkerProcess[] {
    return this.living().filter(worker => worker.ready)
  }

  byIndex(index: number): WorkerProcess | undefined {
    return this.#slots[index]?.worker ?? undefined
  }

  /** `socket` goes along as a handle. A message to a worker that is gone is dropped: its exit is told anyway. */
  send(serial: number, message: ToWorker, socket?: Socket): void {
    const child = this.#slots.find(slot => slot.worker?.serial === serial)?.child
    if (child === null || child === undefined || !child.connected) {
      socket?.destroy()
      return
    }
    child.send(message, socket, { keepOpen: false }, error => {
      if (error !== null) socket?.destroy()
    })
  }

  broadcast(message: ToWorker): void {
    for (const worker of this.ready()) this.send(worker.serial, message)
  }

  kill(serial: number): void {
    this.#slots.find(slot => slot.worker?.serial === serial)?.child?.kill('SIGKILL')
  }

  /** Ends all of them at once; resolves when they are gone. */
  stop(): Promise<void> {
    this.#stopping = true
    for (const slot of this.#slots) {
      if (slot.timer !== null) clearTimeout(slot.timer)
      slot.child?.kill('SIGKILL')
    }
    if (this.living().length === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#allGone = resolve
    })
  }

  #spawn(slot: Slot): void {
    slot.timer = null
    const serial = ++this.#serial
    const child = fork(this.#options.entry, [String(slot.index), String(serial), this.#options.meshFolder], {
      serialization: 'json',
      ...(this.#options.execArgv === undefined ? {} : { execArgv: [...this.#options.execArgv] }),
    })
    const worker: WorkerProcess = { index: slot.index, serial, pid: child.pid ?? 0, ready: false }
    slot.child = child
    slot.worker = worker
    const startedMs = performance.now()
    const startTimer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    child.on('message', message => {
      if (slot.worker !== worker) return
      const toControl = message as ToControl
      if (toControl.type === 'ready') {
        clearTimeout(startTimer)
        worker.ready = true
      }
      this.#options.onMessage(worker, toControl)
    })
    let over = false
    const gone = (how: string): void => {
      if (over) return
      over = true
      clearTimeout(startTimer)
      this.#gone(slot, worker, how, performance.now() - startedMs)
    }
    child.on('error', error => {
      // A failed fork has no exit event; a failed send has one later.
      if (child.pid === undefined) gone(error.message)
    })
    child.on('exit', (code, signal) => gone(signal ?? `exit code ${code}`))
  }

  #gone(slot: Slot, worker: WorkerProcess, how: string, livedMs: number): void {
    slot.child = null
    slot.worker = null
    slot.failures = livedMs > SETTLED_MS ? 0 : slot.failures + 1
    this.#options.onExit(worker, how, this.#stopping)
    this.#tellSiblings()
    if (this.#stopping) {
      if (this.living().length === 0) this.#allGone?.()
      return
    }
    const delayMs = Math.min(RESTART_MAX_MS, RESTART_MIN_MS * 2 ** (slot.failures - 1))
    slot.timer = setTimeout(() => {
      this.#spawn(slot)
      this.#tellSiblings()
    }, delayMs)
  }

  #tellSiblings(): void {
    const serials = this.living().map(worker => worker.serial)
    for (const serial of serials) this.send(serial, { type: 'siblings', serials })
  }
}
