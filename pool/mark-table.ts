/**
 * The marks of one database: what is being written, and when it was last written. Read on the hot path: numbers and maps
 * only. Times are monotonic microseconds, one clock for all processes of a machine.
 */

/** Everything in the database, as a relation. */
export const EVERYTHING = 0
/** The whole table, as a slot. */
export const WHOLE = -1

interface Mark {
  running: number
  endUs: number
}

interface RelationMarks {
  /** Writes of the whole table; after a collapse of its slots too. */
  readonly whole: Mark
  slots: Map<number, Mark> | null
  /** Running writes of slots, and the latest end of any: what a read of the whole table looks at. */
  readonly anySlot: Mark
  /** Slot marks are kept in `whole` until no write runs: the slots alone would not be bounded. */
  collapsed: boolean
}

function isFreshMark(mark: Mark, replayedUs: number): boolean {
  return mark.running === 0 && mark.endUs < replayedUs
}

export class MarkTable {
  readonly #maxSlotMarks: number
  readonly #relations = new Map<number, RelationMarks>()
  readonly #all: Mark = { running: 0, endUs: -1 }
  /** Nothing at or below it is fresh: the ends of marks that were dropped, and what was before this process listened. */
  #floorUs = -1

  constructor(maxSlotMarks: number) {
    this.#maxSlotMarks = maxSlotMarks
  }

  begin(relation: number, slot: number): void {
    this.#all.running++
    const marks = this.#relation(relation)
    if (slot === WHOLE || relation === EVERYTHING || marks.collapsed) {
      marks.whole.running++
      return
    }
    marks.slots ??= new Map()
    let mark = marks.slots.get(slot)
    if (mark === undefined) {
      if (marks.slots.size >= this.#maxSlotMarks) {
        this.#collapse(marks)
        marks.whole.running++
        return
      }
      mark = { running: 0, endUs: -1 }
      marks.slots.set(slot, mark)
    }
    mark.running++
    marks.anySlot.running++
  }

  /** The counterpart of one `begin`. */
  end(relation: number, slot: number, endUs: number): void {
    this.#all.running--
    if (endUs > this.#all.endUs) this.#all.endUs = endUs
    const marks = this.#relations.get(relation)
    if (marks === undefined) return
    if (slot === WHOLE || relation === EVERYTHING || marks.collapsed) {
      marks.whole.running--
      if (endUs > marks.whole.endUs) marks.whole.endUs = endUs
      if (marks.whole.running === 0) marks.collapsed = false
      return
    }
    const mark = marks.slots?.get(slot)
    if (mark === undefined) return
    mark.running--
    if (endUs > mark.endUs) mark.endUs = endUs
    marks.anySlot.running--
    if (endUs > marks.anySlot.endUs) marks.anySlot.endUs = endUs
  }

  isFresh(relation: number, slot: number, replayedUs: number): boolean {
    if (replayedUs <= this.#floorUs) return false
    if (relation === EVERYTHING) return isFreshMark(this.#all, replayedUs)
    const everything = this.#relations.get(EVERYTHING)
    if (everything !== undefined && !isFreshMark(everything.whole, replayedUs)) return false
    const marks = this.#relations.get(relation)
    if (marks === undefined) return true
    if (!isFreshMark(marks.whole, replayedUs)) return false
    if (slot === WHOLE) return isFreshMark(marks.anySlot, replayedUs)
    const mark = marks.slots?.get(slot)
    return mark === undefined || isFreshMark(mark, replayedUs)
  }

  isAllFresh(replayedUs: number): boolean {
    return replayedUs > this.#floorUs && isFreshMark(this.#all, replayedUs)
  }

  raiseFloor(us: number): void {
    if (us > this.#floorUs) this.#floorUs = us
  }

  /**
   * Drops the marks that every replica has passed. The floor rises to the latest end dropped, so a replica that turns up
   * later, further behind, is not taken for fresh.
   */
  prune(passedUs: number): void {
    let droppedUs = -1
    for (const [id, marks] of this.#relations) {
      if (marks.slots !== null) {
        for (const [slot, mark] of marks.slots) {
          if (!isFreshMark(mark, passedUs)) continue
          if (mark.endUs > droppedUs) droppedUs = mark.endUs
          marks.slots.delete(slot)
        }
        if (marks.slots.size === 0) marks.slots = null
      }
      if (marks.slots !== null || !isFreshMark(marks.whole, passedUs) || !isFreshMark(marks.anySlot, passedUs)) continue
      droppedUs = Math.max(droppedUs, marks.whole.endUs, marks.anySlot.endUs)
      this.#relations.delete(id)
    }
    this.raiseFloor(droppedUs)
  }

  /** Number of marks held, for reports and tests. */
  get size(): number {
    let size = 0
    for (const marks of this.#relations.values()) size += 1 + (marks.slots?.size ?? 0)
    return size
  }

  #relation(id: number): RelationMarks {
    let marks = this.#relations.get(id)
    if (marks === undefined) {
      marks = { whole: { running: 0, endUs: -1 }, slots: null, anySlot: { running: 0, endUs: -1 }, collapsed: false }
      this.#relations.set(id, marks)
    }
    return marks
  }

  #collapse(marks: RelationMarks): void {
    marks.collapsed = true
    marks.slots = null
    marks.whole.running += marks.anySlot.running
    if (marks.anySlot.endUs > marks.whole.endUs) marks.whole.endUs = marks.anySlot.endUs
    marks.anySlot.running = 0
    marks.anySlot.endUs = -1
  }
}
