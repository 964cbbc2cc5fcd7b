/**
 * Marks: what was written, so that no read of it goes to a replica that has not replayed it (soundness 22). A write is marked
 * before it is sent and until its answer is here; every sibling worker knows of it before the client has the answer.
 */
import { EVERYTHING, MarkTable, WHOLE } from './mark-table.ts'

/** Slot marks of one table that are kept apart. */
const MAX_SLOT_MARKS = 4096

/** Of one set; past it whole tables are marked, so that a transaction of a million rows costs no more than this. */
const MAX_MARKS_PER_SET = 256

/** How marks reach the sibling workers. Batches are numbered; each sibling acknowledges them in order. */
export interface MarkSink {
  /** Returns the number of the batch that it travels in. */
  added(set: number, database: string, relation: number, slot: number): number
  closed(set: number, endUs: number): void
  isAcknowledged(batch: number): boolean
  /** Once, when everything up to the batch is acknowledged by every sibling that lives. */
  whenAcknowledged(batch: number, callback: () => void): void
}

export interface MarksOptions {
  readonly nowUs: () => number
  readonly maxSlotMarks?: number
}

interface RemoteSet {
  readonly database: string
  readonly touched: Array<readonly [relation: number, slot: number]>
}

export class MarkSet {
  readonly #marks: Marks
  readonly #database: string
  readonly #id: number
  /** Pairs, flat: relation, slot, relation, slot … */
  readonly #touched: number[] = []
  #batch = 0
  #closed = false

  /** Made by `Marks.open`. */
  constructor(marks: Marks, database: string, id: number) {
    this.#marks = marks
    this.#database = database
    this.#id = id
  }

  /** Before the statement is sent. Tells the siblings at the end of this turn of the event loop. */
  add(relation: number, slot: number): void {
    if (this.#closed) throw new Error('the mark set is closed')
    const fits = this.#touched.length < 2 * MAX_MARKS_PER_SET
    this.#add(relation, fits ? slot : WHOLE)
  }

  #add(relation: number, slot: number): void {
    for (let i = 0; i < this.#touched.length; i += 2) {
      const same = this.#touched[i] === relation
      if (same && (this.#touched[i + 1] === slot || this.#touched[i + 1] === WHOLE)) return
    }
    this.#touched.push(relation, slot)
    this.#marks.table(this.#database).begin(relation, slot)
    const sink = this.#marks.sink
    if (sink !== null) this.#batch = sink.added(this.#id, this.#database, relation, slot)
  }

  /** Every sibling has acknowledged every `add`. */
  get acknowledged(): boolean {
    const sink = this.#marks.sink
    return sink === null || this.#batch === 0 || sink.isAcknowledged(this.#batch)
  }

  /** Calls once, at once when acknowledged already. */
  onAcknowledged(callback: () => void): void {
    const sink = this.#marks.sink
    if (sink === null || this.acknowledged) callback()
    else sink.whenAcknowledged(this.#batch, callback)
  }

  /** The answer was received, commit or rollback, or the server is gone: the writes ended at some time before now. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#marks.closed(this.#id)
    const endUs = this.#marks.nowUs()
    const table = this.#marks.table(this.#database)
    for (let i = 0; i < this.#touched.length; i += 2) {
      table.end(this.#touched[i] ?? EVERYTHING, this.#touched[i + 1] ?? WHOLE, endUs)
    }
    if (this.#touched.length > 0) this.#marks.sink?.closed(this.#id, endUs)
  }

  /** For a sibling that joins: what this set has marked so far. */
  describe(visit: (database: string, relation: number, slot: number) => void): void {
    for (let i = 0; i < this.#touched.length; i += 2) {
      visit(this.#database, this.#touched[i] ?? EVERYTHING, this.#touched[i + 1] ?? WHOLE)
    }
  }
}

export class Marks {
  readonly nowUs: () => number
  readonly #maxSlotMarks: number
  readonly #tables = new Map<string, MarkTable>()
  readonly #open = new Map<number, MarkSet>()
  /** Running sets of siblings: origin → set → what it touched. */
  readonly #remote = new Map<number, Map<number, RemoteSet>>()
  #sink: MarkSink | null = null
  #serving = true
  #alone = true
  #floorUs = -1
  #nextSet = 1

  constructor(options: MarksOptions) {
    this.nowUs = options.nowUs
    this.#maxSlotMarks = options.maxSlotMarks ?? MAX_SLOT_MARKS
  }

  /** Begins a set for one autocommit write or one transaction. */
  open(database: string): MarkSet {
    const id = this.#nextSet++
    const set = new MarkSet(this, database, id)
    this.#open.set(id, set)
    return set
  }

  /** True when a read of these touches may be answered by a server that has replayed up to replayedUs. slot -1: whole table. */
  isFresh(database: string, relation: number, slot: number, replayedUs: number): boolean {
    if (!this.#mayTrust(replayedUs)) return false
    const table = this.#tables.get(database)
    return table === undefined || table.isFresh(relation, slot, replayedUs)
  }

  /** Nothing in the database is being written or was written since: for READ ONLY transactions. */
  isAllFresh(database: string, replayedUs: number): boolean {
    if (!this.#mayTrust(replayedUs)) return false
    const table = this.#tables.get(database)
    return table === undefined || table.isAllFresh(replayedUs)
  }

  #mayTrust(replayedUs: number): boolean {
    return this.#serving && this.#alone && replayedUs > this.#floorUs
  }

  /** False: another process writes through the same state, and its marks do not come here. */
  setAlone(alone: boolean): void {
    if (alone && !this.#alone) this.raiseFloor(this.nowUs())
    this.#alone = alone
  }

  /** All replicas of the database have replayed up to here. */
  prune(database: string, passedUs: number): void {
    this.#tables.get(database)?.prune(passedUs)
  }

  // What follows is for the mesh and for MarkSet.

  get sink(): MarkSink | null {
    return this.#sink
  }

  connect(sink: MarkSink | null): void {
    this.#sink = sink
  }

  /** False: this worker may have missed marks of a sibling, no replica is fresh. */
  setServing(serving: boolean): void {
    this.#serving = serving
  }

  get serving(): boolean {
    return this.#serving
  }

  raiseFloor(us: number): void {
    if (us > this.#floorUs) this.#floorUs = us
  }

  openSets(): ReadonlyMap<number, MarkSet> {
    return this.#open
  }

  closed(id: number): void {
    this.#open.delete(id)
  }

  table(database: string): MarkTable {
    let table = this.#tables.get(database)
    if (table === undefined) {
      table = new MarkTable(this.#maxSlotMarks)
      this.#tables.set(database, table)
    }
    return table
  }

  remoteAdded(origin: number, set: number, database: string, relation: number, slot: number): void {
    let sets = this.#remote.get(origin)
    if (sets === undefined) {
      sets = new Map()
      this.#remote.set(origin, sets)
    }
    let remote = sets.get(set)
    if (remote === undefined) {
      remote = { database, touched: [] }
      sets.set(set, remote)
    }
    remote.touched.push([relation, slot])
    this.table(database).begin(relation, slot)
  }

  remoteClosed(origin: number, set: number, endUs: number): void {
    const sets = this.#remote.get(origin)
    const remote = sets?.get(set)
    if (sets === undefined || remote === undefined) return
    sets.delete(set)
    const table = this.table(remote.database)
    for (const [relation, slot] of remote.touched) table.end(relation, slot, endUs)
  }

  /** The sibling is dead, or will say anew what runs: whatever it had running ends now. */
  remoteGone(origin: number): void {
    const sets = this.#remote.get(origin)
    if (sets === undefined) return
    const endUs = this.nowUs()
    for (const set of sets.keys()) this.remoteClosed(origin, set, endUs)
    this.#remote.delete(origin)
  }
}
