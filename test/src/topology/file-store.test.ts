import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileStore } from '../../../src/topology/file-store.ts'
import type { StoredState } from '../../../src/topology/store.ts'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardway-store-'))
  path = join(folder, 'shardway.state')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function state(epoch: number): StoredState {
  const shards = [{ name: 's0', dbname: 'app', nodes: ['h:1'], term: 2, primary: 'h:1', timeline: 3 }]
  return {
    format: 1,
    id: '0123456789abcdef',
    epoch,
    databases: [{ name: 'app', shardNames: ['s0'], slotRuns: [[0, 0]], shards }],
  }
}

describe('FileStore', () => {
  it('reads back what it wrote, in a file of its own that others cannot read', async () => {
    const store = new FileStore(path)
    expect(await store.read()).toBeNull()
    await store.write(state(4))
    expect(await new FileStore(path).read()).toEqual(state(4))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['shardway.state'])
  })

  it('writes in order', async () => {
    const store = new FileStore(path)
    await Promise.all([1, 2, 3, 4, 5].map(epoch => store.write(state(epoch))))
    expect((await store.read())?.epoch).toBe(5)
  })

  it('keeps the old file when a write fails, and goes on afterwards', async () => {
    const store = new FileStore(join(folder, 'missing', 'state'))
    await expect(store.write(state(1))).rejects.toThrow()
    await expect(store.read()).resolves.toBeNull()
    await store.close()
  })

  it.each([
    '',
    '{',
    '{"format":2}',
    JSON.stringify({ ...state(1), databases: [{ ...state(1).databases[0], slotRuns: [[1, 0]] }] }),
  ])('names a file that it cannot use: %s', async text => {
    writeFileSync(path, text)
    await expect(new FileStore(path).read()).rejects.toMatchObject({ code: 'state_unreadable' })
    expect(readFileSync(path, 'utf8')).toBe(text)
  })
})
