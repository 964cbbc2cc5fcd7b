/**
 * The barrier: every worker has a snapshot, or is dead. Messages to one worker keep their order, so an acknowledgement of one
 * sequence stands for all before it. A worker that says nothing within its lease is killed: nothing it still does counts.
 */
import type { Snapshot } from './messages.ts'

export const LEASE_MS = 3000

export interface BarrierOptions {
  readonly send: (worker: number, sequence: number, snapshot: Snapshot) => void
  readonly expel: (worker: number) => void
  readonly leaseMs?: number
}

interface Member {
  acknowledged: number
  sent: number
  timer: NodeJS.Timeout | null
}

interface Wait {
  readonly sequence: number
  readonly resolve: () => void
}

export class Barrier {
  readonly #options: BarrierOptions
  readonly #leaseMs: number
  /** By serial of the worker. */
  readonly #members = new Map<number, Member>()
  #sequence = 0
  #full: Snapshot = {}
  #waits: Wait[] = []

  constructor(options: BarrierOptions) {
    this.#options = options
    this.#leaseMs = options.leaseMs ?? LEASE_MS
  }

  /** Everything published so far, as one snapshot. */
  get full(): Snapshot {
    return this.#full
  }

  get sequence(): number {
    return this.#sequence
  }

  /** Resolves when each worker that was a member has acknowledged it or is no more. */
  publish(snapshot: Snapshot): Promise<void> {
    this.#full = { ...this.#full, ...snapshot }
    const sequence = ++this.#sequence
    for (const [worker, member] of this.#members) this.#send(worker, member, sequence, snapshot)
    return new Promise(resolve => {
      this.#waits.push({ sequence, resolve })
      this.#settle()
    })
  }

  /** A worker that is ready gets everything; it takes part from here on. */
  join(worker: number): void {
    const member: Member = { acknowledged: 0, sent: 0, timer: null }
    this.#members.set(worker, member)
    this.#send(worker, member, this.#sequence, this.#full)
  }

  acknowledge(worker: number, sequence: number): void {
    const member = this.#members.get(worker)
    if (member === undefined || sequence <= member.acknowledged) return
    member.acknowledged = sequence
    if (member.timer !== null) clearTimeout(member.timer)
    member.timer = null
    if (member.acknowledged < member.sent) this.#arm(worker, member)
    this.#settle()
  }

  /** Call it when the process is gone, not when it was told to go. */
  leave(worker: number): void {
    const member = this.#members.get(worker)
    if (member === undefined) return
    if (member.timer !== null) clearTimeout(member.timer)
    this.#members.delete(worker)
    this.#settle()
  }

  /** Last sequence that the worker has acknowledged; -1 when it takes no part. */
  acknowledged(worker: number): number {
    return this.#members.get(worker)?.acknowledged ?? -1
  }

  close(): void {
    for (const worker of this.#members.keys()) this.leave(worker)
  }

  #send(worker: number, member: Member, sequence: number, snapshot: Snapshot): void {
    member.sent = sequence
    this.#options.send(worker, sequence, snapshot)
    if (member.timer === null && member.acknowledged < sequence) this.#arm(worker, member)
  }

  #arm(worker: number, member: Member): void {
    member.timer = setTimeout(() => {
      member.timer = null
      this.#options.expel(worker)
    }, this.#leaseMs)
  }

  #settle(): void {
    if (this.#waits.length === 0) return
    let least = Number.POSITIVE_INFINITY
    for (const member of this.#members.values()) least = Math.min(least, member.acknowledged)
    const done = this.#waits.filter(wait => wait.sequence <= least)
    this.#waits = this.#waits.filter(wait => wait.sequence > least)
    for (const wait of done) wait.resolve()
  }
}
