import { afterEach, describe, expect, it, vi } from 'vitest'
import { Barrier } from '../../../src/process/barrier.ts'
import type { Snapshot } from '../../../src/process/messages.ts'

const topology = (epoch: number): Snapshot => ({ topology: { epoch, databases: [] } })
const catalogs: Snapshot = { catalogs: [] }

function setUp(leaseMs = 1e6) {
  const sent: Array<[number, number, Snapshot]> = []
  const expelled: number[] = []
  const barrier = new Barrier({
    send: (worker, sequence, snapshot) => sent.push([worker, sequence, snapshot]),
    expel: worker => expelled.push(worker),
    leaseMs,
  })
  return { barrier, sent, expelled }
}

async function settled(promise: Promise<void>): Promise<boolean> {
  let done = false
  void promise.then(() => {
    done = true
  })
  await new Promise(resolve => setImmediate(resolve))
  return done
}

afterEach(() => {
  vi.useRealTimers()
})

describe('Barrier', () => {
  it('resolves at once without workers', async () => {
    const { barrier } = setUp()
    expect(await settled(barrier.publish(topology(1)))).toBe(true)
  })

  it('waits for every worker; an acknowledgement stands for all before it', async () => {
    const { barrier } = setUp()
    barrier.join(1)
    barrier.join(2)
    const first = barrier.publish(topology(1))
    const second = barrier.publish(topology(2))
    barrier.acknowledge(1, 2)
    expect(await settled(first)).toBe(false)
    barrier.acknowledge(2, 1)
    expect(await settled(first)).toBe(true)
    expect(await settled(second)).toBe(false)
    barrier.acknowledge(2, 2)
    expect(await settled(second)).toBe(true)
  })

  it('gives a worker that joins everything, and counts on it from then on', async () => {
    const { barrier, sent } = setUp()
    void barrier.publish(topology(1))
    void barrier.publish(catalogs)
    barrier.join(7)
    expect(sent).toEqual([[7, 2, { ...topology(1), ...catalogs }]])
    const next = barrier.publish(topology(2))
    expect(await settled(next)).toBe(false)
    barrier.leave(7)
    expect(await settled(next)).toBe(true)
  })

  it('expels a worker that misses its lease, and waits until it is really gone', async () => {
    const { barrier, expelled } = setUp(5)
    barrier.join(1)
    barrier.join(2)
    const publishing = barrier.publish(topology(1))
    barrier.acknowledge(1, 1)
    await vi.waitFor(() => expect(expelled).toEqual([2]))
    expect(await settled(publishing)).toBe(false)
    barrier.leave(2)
    expect(await settled(publishing)).toBe(true)
    barrier.close()
  })

  it('starts the lease anew with each acknowledgement', () => {
    vi.useFakeTimers()
    const { barrier, expelled } = setUp(100)
    barrier.join(1)
    void barrier.publish(topology(1))
    void barrier.publish(topology(2))
    vi.advanceTimersByTime(90)
    barrier.acknowledge(1, 1)
    vi.advanceTimersByTime(90)
    expect(expelled).toEqual([])
    vi.advanceTimersByTime(20)
    expect(expelled).toEqual([1])
    barrier.close()
  })
})
