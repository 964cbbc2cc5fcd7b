import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Marks } from '../../../pool/marks.ts'
import { nowUs } from '../../../src/observe/clock.ts'
import { Mesh } from '../../../src/process/mesh.ts'

interface Member {
  marks: Marks
  mesh: Mesh
}

let folder = ''
let members: Member[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardway-mesh-'))
  members = []
})

afterEach(() => {
  for (const { mesh } of members) mesh.close()
  rmSync(folder, { recursive: true, force: true })
})

async function joinMesh(serial: number): Promise<Member> {
  const marks = new Marks({ nowUs })
  const mesh = new Mesh({ marks, folder, serial })
  await mesh.listen()
  const member = { marks, mesh }
  members.push(member)
  return member
}

const acknowledged = (set: { onAcknowledged(callback: () => void): void }): Promise<void> =>
  new Promise(resolve => {
    set.onAcknowledged(resolve)
  })

const later = (): number => nowUs() + 1e9

async function pair(): Promise<[Member, Member]> {
  const a = await joinMesh(1)
  const b = await joinMesh(2)
  for (const { mesh } of [a, b]) mesh.setSiblings([1, 2])
  await vi.waitFor(() => expect(a.marks.serving && b.marks.serving).toBe(true))
  return [a, b]
}

describe('Mesh', () => {
  it('needs no messages for one worker', async () => {
    const { marks, mesh } = await joinMesh(1)
    mesh.setSiblings([1])
    const set = marks.open('app')
    set.add(7, 1)
    expect(set.acknowledged).toBe(true)
    expect(marks.serving).toBe(true)
    set.close()
  })

  it('marks a write on the sibling before it is acknowledged, until it ends', async () => {
    const [a, b] = await pair()
    expect(b.marks.isFresh('app', 7, 1, later())).toBe(true)
    const set = a.marks.open('app')
    set.add(7, 1)
    set.add(8, -1)
    expect(set.acknowledged).toBe(false)
    await acknowledged(set)
    expect(set.acknowledged).toBe(true)
    expect(b.marks.isFresh('app', 7, 1, later())).toBe(false)
    expect(b.marks.isFresh('app', 8, 3, later())).toBe(false)
    expect(b.marks.isFresh('app', 7, 2, later())).toBe(true)
    set.add(7, 2)
    expect(set.acknowledged).toBe(false)
    await acknowledged(set)
    const beforeEnd = nowUs()
    set.close()
    await vi.waitFor(() => expect(b.marks.isFresh('app', 7, 1, later())).toBe(true))
    expect(b.marks.isFresh('app', 7, 1, beforeEnd)).toBe(false)
  })

  it('tells a sibling that joins what runs, and lets it trust nothing older', async () => {
    const [a, b] = await pair()
    const other = b.marks.open('other')
    other.add(1, -1)
    const set = a.marks.open('app')
    set.add(7, 1)
    await acknowledged(set)
    const before = nowUs()
    const c = await joinMesh(3)
    c.mesh.setSiblings([1, 2, 3])
    expect(c.marks.serving).toBe(false)
    expect(c.marks.isFresh('app', 9, 9, nowUs() + 1e9)).toBe(false)
    await vi.waitFor(() => expect(c.marks.serving).toBe(true))
    expect(c.marks.isFresh('app', 7, 1, nowUs() + 1e9)).toBe(false)
    expect(c.marks.isFresh('other', 1, 5, nowUs() + 1e9)).toBe(false)
    expect(c.marks.isFresh('app', 9, 9, before)).toBe(false)
    expect(c.marks.isFresh('app', 9, 9, nowUs() + 1e9)).toBe(true)
    set.add(7, 5)
    await acknowledged(set)
    expect(c.marks.isFresh('app', 7, 5, nowUs() + 1e9)).toBe(false)
    set.close()
    other.close()
    await vi.waitFor(() => expect(c.marks.isAllFresh('app', nowUs() + 1e9)).toBe(true))
  })

  it('waits for a sibling that lives but is not connected, and for a dead one no more', async () => {
    const a = await joinMesh(1)
    a.mesh.setSiblings([1, 2])
    expect(a.marks.serving).toBe(false)
    const set = a.marks.open('app')
    set.add(7, 1)
    let done = false
    set.onAcknowledged(() => {
      done = true
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(done).toBe(false)
    a.mesh.setSiblings([1])
    expect(done).toBe(true)
    expect(a.marks.serving).toBe(true)
  })

  it("ends a dead sibling's writes now", async () => {
    const [a, b] = await pair()
    const set = b.marks.open('app')
    set.add(7, 1)
    await acknowledged(set)
    const before = nowUs()
    b.mesh.close()
    members = members.filter(member => member !== b)
    await vi.waitFor(() => expect(a.marks.serving).toBe(false))
    a.mesh.setSiblings([1])
    expect(a.marks.serving).toBe(true)
    expect(a.marks.isFresh('app', 7, 1, before)).toBe(false)
    expect(a.marks.isFresh('app', 7, 1, nowUs() + 1)).toBe(true)
  })

  it('keeps many sets of several workers apart', async () => {
    const [a, b] = await pair()
    const sets = Array.from({ length: 500 }, (_, i) => {
      const set = (i % 2 === 0 ? a : b).marks.open('app')
      set.add(1 + (i % 3), i)
      return set
    })
    await Promise.all(sets.map(acknowledged))
    for (const marks of [a.marks, b.marks]) {
      for (let i = 0; i < 500; i++) expect(marks.isFresh('app', 1 + (i % 3), i, 1e18)).toBe(false)
    }
    for (const set of sets) set.close()
    await vi.waitFor(() => {
      for (const { marks } of [a, b]) expect(marks.isAllFresh('app', 1e18)).toBe(true)
    })
  })
})
