import { describe, expect, it } from 'vitest'
import { type Claim, type PermitLimits, type PermitMessage, Permits } from '../../../src/process/permits.ts'

const NODE = '10.0.0.1:5432'

function claim(user: string, worker = 1, part: Partial<Claim> = {}): Claim {
  const { database = 'app', address = NODE } = part
  return { worker, pool: `${database}|${user}|${address}`, database, user, address, reserve: false, ...part }
}

function permits(part: Partial<PermitLimits>): Permits {
  return new Permits(() => ({ databaseServers: 0, userServers: 0, reserve: 0, ...part }))
}

/** `permit a/1`: user and worker. */
function told(messages: readonly PermitMessage[]): string[] {
  return messages.map(message => {
    const kind = message.type === 'permit' ? 'permit' : message.onlyIdle ? 'idle' : 'yield'
    return `${kind} ${message.pool.split('|')[1]}/${message.worker}`
  })
}

function wantMany(all: Permits, ...claims: readonly Claim[]): string[] {
  return claims.flatMap(one => told(all.want(one)))
}

describe('permits', () => {
  it('without a limit everybody gets one at once', () => {
    const all = permits({})
    expect(wantMany(all, claim('a'), claim('a', 2), claim('b'))).toEqual(['permit a/1', 'permit a/2', 'permit b/1'])
  })

  it('the limit of a database holds over users and workers, for each node', () => {
    const all = permits({ databaseServers: 2 })
    expect(wantMany(all, claim('a'), claim('b', 2))).toEqual(['permit a/1', 'permit b/2'])
    expect(wantMany(all, claim('c', 3, { address: '10.0.0.2:5432' }))).toEqual(['permit c/3'])
    expect(wantMany(all, claim('c', 3, { database: 'other' }))).toEqual(['permit c/3'])
    expect(wantMany(all, claim('c', 3)).filter(one => one.startsWith('permit'))).toEqual([])
    expect(all.waiting).toBe(1)
    expect(told(all.back(claim('a')))).toEqual(['permit c/3'])
  })

  it('the limit of a user holds over databases and workers', () => {
    const all = permits({ userServers: 2 })
    wantMany(all, claim('a'), claim('a', 2, { database: 'other' }))
    expect(wantMany(all, claim('b'))).toEqual(['permit b/1'])
    expect(wantMany(all, claim('a', 3)).filter(one => one.startsWith('permit'))).toEqual([])
    expect(told(all.back(claim('a', 2, { database: 'other' })))).toEqual(['permit a/3'])
  })

  it('those who wait are served in turn over users', () => {
    const all = permits({ databaseServers: 3 })
    wantMany(all, claim('a'), claim('a'), claim('a'))
    wantMany(all, claim('a'), claim('a'), claim('b'), claim('b'), claim('c'))
    // b and c have had nothing yet; then a, that asked first, and b again.
    const served = [1, 2, 3, 4, 5].flatMap(() => told(all.back(claim('a'))))
    expect(served.filter(one => one.startsWith('permit'))).toEqual([
      'permit b/1',
      'permit c/1',
      'permit a/1',
      'permit b/1',
    ])
  })

  it('who holds more than another that waits is told to yield, once for each that waits', () => {
    const all = permits({ databaseServers: 4 })
    wantMany(all, claim('a'), claim('a'), claim('a'), claim('a'))
    expect(wantMany(all, claim('b', 2))).toEqual(['yield a/1'])
    expect(told(all.pressAll())).toEqual([])
    expect(wantMany(all, claim('b', 2))).toEqual(['yield a/1'])
    expect(told(all.back(claim('a')))).toEqual(['permit b/2'])
    expect(told(all.back(claim('a')))).toEqual(['permit b/2'])
  })

  it('within its part nobody is told to close what is busy, only what is idle', () => {
    const all = permits({ databaseServers: 4 })
    wantMany(all, claim('a'), claim('a'), claim('b', 2), claim('b', 2))
    expect(wantMany(all, claim('b', 2))).toEqual(['idle a/1'])
    expect(told(all.pressAll())).toEqual(['idle a/1'])
  })

  it('an idle one is asked for also while another, that was told to yield, stays busy', () => {
    const all = permits({ databaseServers: 4 })
    wantMany(all, claim('a', 1), claim('b', 1), claim('b', 1), claim('b', 1))
    // Of b, which has nothing on worker 2, the other worker is told; it is in transactions that do not end.
    expect(wantMany(all, claim('b', 2))).toEqual(['yield b/1'])
    expect(told(all.pressAll())).toEqual(['idle a/1'])
    expect(told(all.back(claim('a', 1)))).toEqual(['permit b/2'])
  })

  it('with one for two users they take turns', () => {
    const all = permits({ databaseServers: 1 })
    expect(wantMany(all, claim('a'), claim('b'))).toEqual(['permit a/1', 'yield a/1'])
    expect(told(all.back(claim('a')))).toEqual(['permit b/1'])
    expect(wantMany(all, claim('a'))).toEqual(['yield b/1'])
  })

  it('with one for two workers of one user they take turns', () => {
    const all = permits({ userServers: 1 })
    expect(wantMany(all, claim('a', 1), claim('a', 2))).toEqual(['permit a/1', 'yield a/1'])
    expect(told(all.back(claim('a', 1)))).toEqual(['permit a/2'])
  })

  it('the reserve of a pool is one for all workers, and counts for the other limits', () => {
    const all = permits({ reserve: 1, databaseServers: 3 })
    expect(wantMany(all, claim('a', 1, { reserve: true }))).toEqual(['permit a/1'])
    expect(wantMany(all, claim('a', 2, { reserve: true }))).toEqual([])
    expect(wantMany(all, claim('b', 1, { reserve: true }))).toEqual(['permit b/1'])
    expect(wantMany(all, claim('c'))).toEqual(['permit c/1'])
    expect(wantMany(all, claim('d')).filter(one => one.startsWith('permit'))).toEqual([])
    expect(told(all.back(claim('a', 1, { reserve: true })))).toEqual(['permit d/1'])
  })

  it('a worker that is gone holds nothing, and waits for nothing', () => {
    const all = permits({ databaseServers: 2 })
    wantMany(all, claim('a', 1), claim('a', 1), claim('a', 1), claim('b', 2))
    expect(told(all.workerGone(1))).toEqual(['permit b/2'])
    expect(all.waiting).toBe(0)
    // What it would have given back is not counted twice.
    expect(told(all.back(claim('a', 1)))).toEqual([])
    expect(wantMany(all, claim('c'), claim('c')).slice(0, 1)).toEqual(['permit c/1'])
    expect(all.waiting).toBe(1)
  })
})
