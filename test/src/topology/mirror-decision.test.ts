import { describe, expect, it } from 'vitest'
import { judgeMirror, type MirrorRow } from '../../../src/topology/mirror-decision.ts'

const row = (stateId: string, epoch: number, ownerAlive = false, shard = 's0'): MirrorRow => ({
  shard,
  stateId,
  epoch,
  ownerAlive,
})
const judge = (...rows: MirrorRow[]): string => {
  const verdict = judgeMirror('app', 'mine', 5, rows)
  return verdict.serve ? 'serve' : verdict.code
}

describe('judgeMirror', () => {
  it('serves what is new and what is its own, also when its own old session still lingers', () => {
    expect(judge()).toBe('serve')
    expect(judge(row('mine', 5))).toBe('serve')
    expect(judge(row('mine', 3))).toBe('serve')
    expect(judge(row('mine', 5, true))).toBe('serve')
  })

  it('refuses with an older state than the shards', () => {
    expect(judge(row('mine', 5), row('mine', 6, false, 's1'))).toBe('state_is_old')
  })

  it("refuses another proxy's shards, alive or dead", () => {
    expect(judge(row('mine', 5), row('theirs', 2, true, 's1'))).toBe('owned_by_another')
    expect(judge(row('theirs', 2))).toBe('state_is_foreign')
    expect(judge(row('theirs', 9, false), row('theirs', 9, true, 's1'))).toBe('owned_by_another')
  })
})
