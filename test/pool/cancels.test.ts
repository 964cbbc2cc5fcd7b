import { describe, expect, it } from 'vitest'
import { Cancels } from '../../pool/cancels.ts'
import type { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'

/** Only what a queue of cancel requests looks at. */
function server(): ServerConnection {
  const state = { cancels: 0 }
  return { state, destroyed: '', destroy: () => undefined } as unknown as ServerConnection
}

function pool(): Pool {
  return {
    cancelStarted: (one: ServerConnection) => void one.state.cancels++,
    cancelEnded: (one: ServerConnection) => void one.state.cancels--,
  } as unknown as Pool
}

function started() {
  const under: Array<(delivered: boolean) => void> = []
  let most = 0
  const deliver = (): Promise<boolean> =>
    new Promise(resolve => {
      under.push(resolve)
      most = Math.max(most, under.length)
    })
  return { under, deliver, most: () => most }
}

const yes = (): boolean => true

describe('cancel requests', () => {
  it('are bounded per pool and in all, and served in order', async () => {
    const { under, deliver, most } = started()
    const cancels = new Cancels({ active: 5, activePerPool: 3, waiting: 1000 }, deliver)
    const pools = [pool(), pool(), pool()]
    for (let i = 0; i < 60; i++) cancels.request(pools[i % 3] as Pool, server(), yes)
    expect(cancels.active).toBe(5)
    expect(cancels.waiting).toBe(55)
    while (under.length > 0) {
      under.shift()?.(true)
      await new Promise(resolve => setImmediate(resolve))
      expect(cancels.active).toBeLessThanOrEqual(5)
    }
    expect([cancels.active, cancels.waiting, most()]).toEqual([0, 0, 5])
  })

  it('one pool that hangs leaves room for others', () => {
    const { deliver } = started()
    const cancels = new Cancels({ active: 5, activePerPool: 3, waiting: 1000 }, deliver)
    const [slow, other] = [pool(), pool()]
    for (let i = 0; i < 20; i++) cancels.request(slow, server(), yes)
    expect(cancels.active).toBe(3)
    cancels.request(other, server(), yes)
    expect(cancels.active).toBe(4)
  })

  it('past the bound of the queue they are dropped', () => {
    const { deliver } = started()
    const cancels = new Cancels({ active: 1, activePerPool: 1, waiting: 10 }, deliver)
    const one = pool()
    for (let i = 0; i < 100; i++) cancels.request(one, server(), yes)
    expect([cancels.active, cancels.waiting, cancels.dropped]).toEqual([1, 10, 89])
  })

  it('one server has one at a time, and one behind it, however often it is asked for', async () => {
    const { under, deliver } = started()
    const cancels = new Cancels(undefined, deliver)
    const [one, target] = [pool(), server()]
    for (let i = 0; i < 1000; i++) cancels.request(one, target, yes)
    expect([cancels.active, cancels.waiting]).toEqual([1, 1])
    under.shift()?.(true)
    await new Promise(resolve => setImmediate(resolve))
    expect([cancels.active, cancels.waiting]).toEqual([1, 0])
  })

  it('what is no longer wanted when its turn comes is not sent', async () => {
    const { under, deliver } = started()
    const cancels = new Cancels({ active: 1, activePerPool: 1, waiting: 10 }, deliver)
    const one = pool()
    cancels.request(one, server(), yes)
    cancels.request(one, server(), () => false)
    under.shift()?.(true)
    await new Promise(resolve => setImmediate(resolve))
    expect([cancels.active, cancels.waiting, under.length]).toEqual([0, 0, 0])
  })

  it('a server whose cancel request may still arrive is closed', async () => {
    const { under, deliver } = started()
    const cancels = new Cancels(undefined, deliver)
    const reasons: string[] = []
    const target = { state: { cancels: 0 }, destroy: (why: string) => reasons.push(why) } as unknown as ServerConnection
    cancels.request(pool(), target, yes)
    under.shift()?.(false)
    await new Promise(resolve => setImmediate(resolve))
    expect(reasons).toHaveLength(1)
  })
})
