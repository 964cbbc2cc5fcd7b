import { describe, expect, it } from 'vitest'
import { type Waiter, WaitQueue } from '../../pool/waiting.ts'

function waiter(): Waiter & { noticed: number } {
  const one = {
    noticed: 0,
    onServer: () => undefined,
    onServerUnavailable: () => undefined,
    onLongWait: () => {
      one.noticed++
    },
  }
  return one
}

describe('those who wait for a server', () => {
  it('are served in their order', () => {
    const queue = new WaitQueue()
    const [a, b, c] = [waiter(), waiter(), waiter()]
    queue.push(a, 10)
    queue.push(b, 20)
    queue.push(c, 30)
    expect(queue.firstWaitUs(40)).toBe(30)
    queue.forget(b)
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([a, c, undefined])
    expect(queue.firstWaitUs(40)).toBe(0)
  })

  it('expire, the oldest first; never with 0', () => {
    const queue = new WaitQueue()
    const [a, b, c] = [waiter(), waiter(), waiter()]
    queue.push(a, 0)
    queue.push(b, 500)
    queue.push(c, 2000)
    expect(queue.expire(1_000_000, 0)).toEqual([])
    expect(queue.expire(2500, 2)).toEqual([a])
    expect(queue.expire(3000, 2)).toEqual([b])
    expect(queue.length).toBe(1)
  })

  it('are told once', () => {
    const queue = new WaitQueue()
    const [a, b] = [waiter(), waiter()]
    queue.push(a, 0)
    queue.push(b, 5000)
    queue.notice(6000, 0)
    expect([a.noticed, b.noticed]).toEqual([0, 0])
    queue.notice(6000, 5)
    queue.notice(7000, 5)
    expect([a.noticed, b.noticed]).toEqual([1, 0])
    queue.notice(11_000, 5)
    expect([a.noticed, b.noticed]).toEqual([1, 1])
  })
})
