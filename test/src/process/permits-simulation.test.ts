import { describe, expect, it } from 'vitest'
import { type Claim, type PermitMessage, Permits } from '../../../src/process/permits.ts'
import { Random } from '../../support/random.ts'

/** A worker's pool as pool/pool.ts behaves towards permits: keeps what is free, pays what it owes with whatever closes. */
class FakePool {
  readonly claim: Claim
  demand: number
  served = 0
  idle = 0
  busy = 0
  asked = 0
  owed = 0

  constructor(claim: Claim, demand: number) {
    this.claim = claim
    this.demand = demand
  }

  get open(): number {
    return this.idle + this.busy
  }
}

function simulate(seed: number): { pools: FakePool[]; most: number; limit: number; steps: number } {
  const random = new Random(seed)
  const limit = 1 + random.below(4)
  const permits = new Permits(() => ({ databaseServers: limit, userServers: 0, reserve: 0 }))
  const pools: FakePool[] = []
  for (let worker = 1; worker <= 1 + random.below(3); worker++) {
    for (let user = 0; user <= random.below(4); user++) {
      const name = `u${user}`
      const claim = { worker, pool: `d|${name}|n`, database: 'd', user: name, address: 'n', reserve: false }
      pools.push(new FakePool(claim, 5 + random.below(40)))
    }
  }
  /** Messages cross on their way: each side's are delivered in order, when their turn comes. */
  const toWorkers: PermitMessage[] = []
  const toControl: Array<{ readonly kind: 'want' | 'back'; readonly claim: Claim }> = []
  const close = (pool: FakePool): void => {
    pool.owed = Math.max(0, pool.owed - 1)
    toControl.push({ kind: 'back', claim: pool.claim })
  }
  const deliver = (message: PermitMessage): void => {
    const pool = pools.find(one => one.claim.worker === message.worker && one.claim.pool === message.pool)
    if (pool === undefined) throw new Error('a message to nobody')
    if (message.type === 'permit') {
      pool.asked--
      if (pool.demand > 0) pool.idle++
      else close(pool)
      return
    }
    if (!message.onlyIdle) pool.owed++
    if (pool.idle === 0) return
    pool.idle--
    close(pool)
  }
  let most = 0
  let steps = 0
  while (pools.some(pool => pool.demand > 0 || pool.busy > 0)) {
    if (++steps > 200_000) break
    const pool = pools[random.below(pools.length)]
    if (pool === undefined) continue
    switch (random.below(6)) {
      case 0: {
        const message = toWorkers.shift()
        if (message !== undefined) deliver(message)
        break
      }
      case 1: {
        const event = toControl.shift()
        if (event?.kind === 'want') toWorkers.push(...permits.want(event.claim))
        if (event?.kind === 'back') toWorkers.push(...permits.back(event.claim))
        break
      }
      case 2:
        if (random.below(20) === 0) toWorkers.push(...permits.pressAll())
        break
      case 3:
        if (pool.demand > 0 && pool.idle > 0) {
          pool.idle--
          pool.busy++
          pool.demand--
        } else if (pool.demand > pool.asked && pool.asked < 8) {
          pool.asked++
          toControl.push({ kind: 'want', claim: pool.claim })
        }
        break
      default:
        if (pool.busy === 0) break
        pool.busy--
        pool.served++
        if (pool.owed > 0) close(pool)
        else pool.idle++
    }
    most = Math.max(
      most,
      pools.reduce((sum, one) => sum + one.open, 0),
    )
  }
  return { pools, most, limit, steps }
}

describe('permits with messages that cross', () => {
  it('the limit holds, and everybody is served', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const { pools, most, limit } = simulate(seed)
      expect(most, `seed ${seed}`).toBeLessThanOrEqual(limit)
      expect(
        pools.filter(pool => pool.demand > 0),
        `seed ${seed}`,
      ).toEqual([])
    }
  })
})
