import { describe, expect, it } from 'vitest'
import {
  initialShare,
  newShares,
  type PoolShares,
  resized,
  returnedShare,
  type ShareMessage,
  wantShare,
  workerReplaced,
} from '../../../src/process/shares.ts'

const sum = (shares: PoolShares): number => shares.held.reduce((a, b) => a + b, 0)

describe('shares', () => {
  it('divides with the remainder to the first, never below one', () => {
    expect([0, 1, 2].map(index => initialShare(20, 3, index))).toEqual([7, 7, 6])
    expect([0, 1, 2].map(index => initialShare(2, 3, index))).toEqual([1, 1, 1])
  })

  it('asks the worker that has most, and hands on what it gives', () => {
    const start: PoolShares = { total: 10, held: [2, 5, 3], wanting: [], asked: [] }
    const asked = wantShare(start, 0)
    expect(asked.messages).toEqual([{ to: 1, type: 'lend' }])
    const given = returnedShare(asked.shares, 1, 4)
    expect(given.messages).toEqual([{ to: 0, type: 'share', size: 3 }])
    expect(given.shares).toEqual({ total: 10, held: [3, 4, 3], wanting: [], asked: [] })
  })

  it('asks the next when one has none to spare, and gives up when nobody has', () => {
    const start: PoolShares = { total: 10, held: [2, 5, 3], wanting: [], asked: [] }
    const first = wantShare(start, 0)
    const second = returnedShare(first.shares, 1, 5)
    expect(second.messages).toEqual([{ to: 2, type: 'lend' }])
    const third = returnedShare(second.shares, 2, 3)
    expect(third.messages).toEqual([])
    expect(third.shares.wanting).toEqual([])
  })

  it('never takes the last one of a worker', () => {
    const start: PoolShares = { total: 3, held: [1, 1, 1], wanting: [], asked: [] }
    expect(wantShare(start, 0).messages).toEqual([])
  })

  it('gives a new process its part, or what is left of it', () => {
    const start: PoolShares = { total: 10, held: [2, 8], wanting: [], asked: [] }
    expect(workerReplaced(start, 0).messages).toEqual([{ to: 0, type: 'share', size: 2 }])
    expect(workerReplaced({ ...start, held: [8, 2] }, 0).messages).toEqual([{ to: 0, type: 'share', size: 5 }])
  })

  it('begins anew with another total', () => {
    expect(resized(newShares(10, 2), 4).messages).toEqual([
      { to: 0, type: 'share', size: 2 },
      { to: 1, type: 'share', size: 2 },
    ])
  })

  it('never exceeds the total, whatever the workers answer, and always comes to rest', () => {
    let seed = 7
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed % n
    }
    for (let round = 0; round < 200; round++) {
      const workers = 1 + random(5)
      const total = workers + random(20)
      let shares = newShares(total, workers)
      const held = [...shares.held]
      const queue: ShareMessage[] = []
      for (let step = 0; step < 100; step++) {
        const pick = random(8)
        const worker = random(workers)
        let result: ReturnType<typeof wantShare> | null = null
        if (pick < 3) result = wantShare(shares, worker)
        else if (pick === 3) {
          queue.splice(0, queue.length, ...queue.filter(message => message.to !== worker))
          result = workerReplaced(shares, worker)
        } else {
          const message = queue.shift()
          if (message?.type === 'share') held[message.to] = message.size
          if (message?.type === 'lend') {
            if (random(2) === 0 && held[message.to]! > 1) held[message.to]!--
            result = returnedShare(shares, message.to, held[message.to]!)
          }
        }
        if (result === null) continue
        shares = result.shares
        queue.push(...result.messages)
        expect(sum(shares)).toBeLessThanOrEqual(total)
        expect(Math.min(...shares.held)).toBeGreaterThanOrEqual(1)
      }
      for (let left = 0; queue.length > 0; left++) {
        expect(left).toBeLessThan(100)
        const message = queue.shift()!
        if (message.type === 'share') held[message.to] = message.size
        else {
          const step = returnedShare(shares, message.to, held[message.to]!)
          shares = step.shares
          queue.push(...step.messages)
        }
      }
      expect(shares.wanting).toEqual([])
      expect(held).toEqual([...shares.held])
    }
  })
})
