import { describe, expect, it } from 'vitest'
import { PreparedList } from '../../pool/prepared-list.ts'

describe('the statements of a server', () => {
  it('go in the order of their last use when there are too many', () => {
    const list = new PreparedList()
    list.limit = 3
    for (const id of [1, 2, 3]) list.add(id, 10)
    list.touch(1)
    list.add(4, 10)
    expect([1, 2, 3, 4].map(id => list.has(id))).toEqual([true, false, true, true])
    expect(list.takeEvicted()).toEqual([2])
    expect(list.hasEvicted).toBe(false)
  })

  it('go when their texts are too long, but never the newest', () => {
    const list = new PreparedList()
    list.add(1, 10 * 1024 * 1024)
    list.add(2, 5 * 1024 * 1024)
    list.add(3, 5 * 1024 * 1024)
    expect([list.has(1), list.has(2), list.has(3)]).toEqual([false, true, true])
    list.add(4, 100 * 1024 * 1024)
    expect([list.size, list.has(4)]).toEqual([1, true])
    expect(list.takeEvicted()).toEqual([1, 2, 3])
  })

  it('come back while they are not closed yet, without what they were described as', () => {
    const list = new PreparedList()
    list.limit = 1
    list.add(1, 10)
    list.describe(1, Buffer.from('T'))
    list.add(2, 10)
    expect([list.has(1), list.isOnServer(1)]).toEqual([false, true])
    expect(list.touch(1)).toBe(true)
    expect(list.describedAs(1)).toBeNull()
    expect(list.takeEvicted()).toEqual([])
  })

  it('that were given up are closed, and do not come back', () => {
    const list = new PreparedList()
    list.add(1, 10)
    list.giveUp(1)
    expect([list.isOnServer(1), list.touch(1), list.bytes]).toEqual([false, false, 0])
    expect(list.takeOut(1)).toBe(true)
    expect(list.takeOut(1)).toBe(false)
    list.add(2, 10)
    list.giveUp(2)
    list.giveUp(3)
    expect(list.takeEvicted()).toEqual([2])
    list.keepEvicted(2)
    expect(list.takeEvicted()).toEqual([2])
  })
})
