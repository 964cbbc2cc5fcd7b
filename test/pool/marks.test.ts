import { beforeEach, describe, expect, it } from 'vitest'
import { Marks } from '../../pool/marks.ts'

let clock = 0
let marks: Marks

beforeEach(() => {
  clock = 100
  marks = new Marks({ nowUs: () => clock, maxSlotMarks: 4 })
})

describe('Marks', () => {
  it('is fresh where nothing was written', () => {
    expect(marks.isFresh('app', 7, 1, 0)).toBe(true)
    expect(marks.isAllFresh('app', 0)).toBe(true)
  })

  it('holds a slot back while it is written and until a replica has passed the end', () => {
    const set = marks.open('app')
    set.add(7, 1)
    expect(set.acknowledged).toBe(true)
    expect(marks.isFresh('app', 7, 1, 1e9)).toBe(false)
    expect(marks.isFresh('app', 7, -1, 1e9)).toBe(false)
    expect(marks.isFresh('app', 7, 2, 50)).toBe(true)
    expect(marks.isFresh('app', 8, 1, 50)).toBe(true)
    expect(marks.isFresh('other', 7, 1, 50)).toBe(true)
    expect(marks.isAllFresh('app', 1e9)).toBe(false)
    clock = 200
    set.close()
    set.close()
    expect(marks.isFresh('app', 7, 1, 200)).toBe(false)
    expect(marks.isFresh('app', 7, 1, 201)).toBe(true)
    expect(marks.isFresh('app', 7, -1, 200)).toBe(false)
    expect(marks.isAllFresh('app', 201)).toBe(true)
  })

  it('covers every slot with a whole table, and every table with relation 0', () => {
    const table = marks.open('app')
    table.add(7, -1)
    expect(marks.isFresh('app', 7, 3, 1e9)).toBe(false)
    expect(marks.isFresh('app', 8, 3, 1e9)).toBe(true)
    table.close()
    const all = marks.open('app')
    all.add(0, 5)
    expect(marks.isFresh('app', 8, 3, 1e9)).toBe(false)
    expect(marks.isFresh('app', 0, -1, 1e9)).toBe(false)
    all.close()
    expect(marks.isFresh('app', 8, 3, 101)).toBe(true)
  })

  it('counts overlapping writes of one slot', () => {
    const first = marks.open('app')
    const second = marks.open('app')
    first.add(7, 1)
    first.add(7, 1)
    second.add(7, 1)
    first.close()
    expect(marks.isFresh('app', 7, 1, 1e9)).toBe(false)
    second.close()
    expect(marks.isFresh('app', 7, 1, 1e9)).toBe(true)
  })

  it('collapses a table with too many slot marks, and loses none of them', () => {
    const sets = Array.from({ length: 8 }, (_, slot) => {
      const set = marks.open('app')
      set.add(7, slot)
      return set
    })
    expect(marks.isFresh('app', 7, 100, 1e9)).toBe(false)
    for (const [i, set] of sets.entries()) {
      clock = 200 + i
      set.close()
    }
    expect(marks.isFresh('app', 7, 0, 207)).toBe(false)
    expect(marks.isFresh('app', 7, 0, 208)).toBe(true)
    const again = marks.open('app')
    again.add(7, 1)
    expect(marks.isFresh('app', 7, 2, 208)).toBe(true)
    again.close()
    expect(marks.isFresh('app', 7, 1, 1e9)).toBe(true)
  })

  it('marks whole tables past a number of marks in one set', () => {
    const many = new Marks({ nowUs: () => clock })
    const set = many.open('app')
    for (let slot = 0; slot < 300; slot++) set.add(7, slot)
    expect(many.isFresh('app', 7, 9999, 1e9)).toBe(false)
    set.close()
    expect(many.isFresh('app', 7, 1, 1e9)).toBe(true)
  })

  it('drops what all replicas have passed, and takes no replica that is further behind for fresh', () => {
    const set = marks.open('app')
    set.add(7, 1)
    set.add(8, -1)
    clock = 200
    set.close()
    marks.prune('app', 200)
    expect(marks.table('app').size).toBeGreaterThan(0)
    marks.prune('app', 201)
    expect(marks.table('app').size).toBe(0)
    expect(marks.isFresh('app', 7, 1, 200)).toBe(false)
    expect(marks.isFresh('app', 7, 1, 201)).toBe(true)
    const running = marks.open('app')
    running.add(7, 1)
    marks.prune('app', 1e9)
    expect(marks.isFresh('app', 7, 1, 1e9)).toBe(false)
  })

  it('agrees with a plain list of writes, over random histories', () => {
    let seed = 42
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed % n
    }
    interface Write {
      set: ReturnType<Marks['open']>
      touched: Array<[number, number]>
      end: number
    }
    const writes: Write[] = []
    for (let step = 0; step < 4000; step++) {
      clock++
      const running = writes.filter(write => write.end === Infinity)
      if (running.length < 6 && random(2) === 0) {
        writes.push({ set: marks.open('app'), touched: [], end: Infinity })
      } else if (running.length > 0) {
        const write = running[random(running.length)]!
        if (random(3) === 0) {
          write.end = clock
          write.set.close()
        } else {
          const touch: [number, number] = [random(3) + (random(10) === 0 ? 0 : 1), random(12) - 1]
          write.touched.push(touch)
          write.set.add(...touch)
        }
      }
      if (random(50) === 0) marks.prune('app', clock - random(40))
      const relation = 1 + random(3)
      const slot = random(12) - 1
      const replayed = clock - random(30)
      const stale = writes.some(
        write =>
          write.end >= replayed &&
          write.touched.some(([r, s]) => r === 0 || (r === relation && (s === -1 || slot === -1 || s === slot))),
      )
      // One way only: pruning and collapsing may hold back more than needed, never less.
      if (stale) expect(marks.isFresh('app', relation, slot, replayed)).toBe(false)
    }
  })
})
