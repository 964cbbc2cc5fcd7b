import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findBinaries } from '../../src/cluster/binaries.ts'
import { findProgramFor, runProgram } from '../support/programs.ts'
import { rowsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { WireOptions } from '../support/wire.ts'

const binaries = findBinaries()
const pgDump = findProgramFor('pg_dump', binaries)
const pgRestore = findProgramFor('pg_restore', binaries)
/** Shardway's own schema is the control user's. */
const OURS = ['-N', 'shardway']

/** A dump without what differs between any two: the key of \restrict, and the time in an archive's table of contents. */
function plain(text: string): string[] {
  return text.split('\n').filter(line => !/^\\(un)?restrict |^;/.test(line))
}

describe.skipIf(pgDump === null || pgRestore === null)('pg_dump', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shardway-dump-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function fill(system: System): Promise<void> {
    const wire = await system.connect()
    for (let id = 1; id <= 30; id++) {
      await wire.run(`INSERT INTO customers (id, name, tags, extra, score) VALUES (${id}, E'it''s \\\\ ${id}\\n', '{a,"b c"}',
        '{"id": ${id}}', ${id} / 3.0)`)
    }
    await wire.end()
  }

  describe('of one shard', () => {
    let system: System
    let direct: WireOptions
    beforeAll(async () => {
      system = await startSystem({ workers: 2, shards: 1, replicas: 0, oracle: false })
      const { server } = system.cluster.shards[0]!.primary
      direct = system.target({ host: server.host, port: server.port })
      await fill(system)
    })
    afterAll(async () => await system.stop())

    it.each([
      ['everything', []],
      ['the schema', ['--schema-only']],
      ['the data', ['--data-only']],
      ['the data as INSERT', ['--inserts', '--rows-per-insert=7']],
      ['one table', ['-t', 'customers', '--clean', '--if-exists']],
      ['with a snapshot that can be serialized', ['--serializable-deferrable']],
    ] as const)('%s is what a direct one gives', async (_, args) => {
      const [got, expected] = await Promise.all([
        runProgram(pgDump ?? '', system.target(), [...OURS, ...args]),
        runProgram(pgDump ?? '', direct, [...OURS, ...args]),
      ])
      expect(got).toMatchObject({ code: 0, stderr: '' })
      expect(plain(got.stdout).length).toBeGreaterThan(40)
      expect(plain(got.stdout)).toEqual(plain(expected.stdout))
    })

    it.each([
      ['custom', ['-Fc']],
      ['directory', ['-Fd', '-j', '2']],
    ] as const)('an archive of format %s', async (name, args) => {
      const texts: string[][] = []
      for (const [i, target] of [system.target(), direct].entries()) {
        const file = join(folder, `${name}-${i}`)
        expect(await runProgram(pgDump ?? '', target, [...OURS, ...args, '-f', file])).toMatchObject({
          code: 0,
          stderr: '',
        })
        const listed = await runProgram(pgRestore ?? '', target, ['--list', file])
        const restored = await runProgram(pgRestore ?? '', target, ['-f', '-', file])
        expect([listed.code, restored.code]).toEqual([0, 0])
        texts.push([...plain(listed.stdout), ...plain(restored.stdout)])
      }
      expect(texts[0]).toEqual(texts[1])
      expect(texts[0]!.length).toBeGreaterThan(100)
    })

    it('is restored through the proxy', async () => {
      const file = join(folder, 'restored')
      await runProgram(pgDump ?? '', system.target(), ['-Fc', '-t', 'customers', '-t', 'notes', '-f', file])
      const wire = await system.connect()
      await wire.run(
        'ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey; DROP VIEW rich; TRUNCATE customers, notes',
      )
      const ended = await runProgram(pgRestore ?? '', system.target(), ['-d', 'app', '--data-only', '-1', file])
      expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(rowsOf(await wire.run('SELECT count(*), sum(id) FROM customers'))).toEqual([['30', '465']])
      const again = await runProgram(pgRestore ?? '', system.target(), ['-d', 'app', '--clean', '--if-exists', file])
      expect(again).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(rowsOf(await wire.run('SELECT name FROM customers WHERE id = 7'))).toEqual([["it's \\ 7\n"]])
      await wire.end()
    })
  })

  describe('of two shards', () => {
    let system: System
    beforeAll(async () => {
      system = await startSystem({ workers: 2, replicas: 0, oracle: false })
      await fill(system)
    })
    afterAll(async () => await system.stop())

    it.each([
      ['everything', []],
      ['the data', ['--data-only']],
      ['a sharded table', ['-t', 'customers']],
      ['a table of one shard', ['-t', 'notes']],
    ] as const)('%s is refused, with nothing in the file', async (_, args) => {
      const { code, stdout, stderr } = await runProgram(pgDump ?? '', system.target(), [...OURS, ...args])
      expect(code).toBe(1)
      expect(stdout).toBe('')
      expect(stderr).toContain('is not supported across shards')
      expect(stderr).toContain('HINT:')
      await system.isServing()
    })

    it('each shard is dumped by itself', async () => {
      let rows = 0
      for (const { primary } of system.cluster.shards) {
        const { host, port } = primary.server
        const dump = await runProgram(pgDump ?? '', system.target({ host, port }), [
          ...OURS,
          '--data-only',
          '-t',
          'customers',
        ])
        expect(dump.code).toBe(0)
        rows += dump.stdout.split('\n').filter(line => /^\d+\t/.test(line)).length
      }
      expect(rows).toBe(30)
    })
  })
})
