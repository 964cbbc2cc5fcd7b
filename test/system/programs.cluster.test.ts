import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findBinaries } from '../../src/cluster/binaries.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { findProgram, runProgram, startProgram } from '../support/programs.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'
import type { WireOptions } from '../support/wire.ts'

const { bin } = findBinaries()
const psql = findProgram('psql', bin)
const pgbench = findProgram('pgbench', bin)

describe.each([1, 2])("Postgres's own programs, workers=%i", workers => {
  let system: System
  let oracle: WireOptions
  let folder: string

  beforeAll(async () => {
    system = await startSystem({ workers })
    oracle = system.target({ port: system.oracleServer?.port ?? 0 })
    folder = mkdtempSync(join(tmpdir(), 'shardway-programs-'))
    const twin = await Twin.connect(system)
    for (let id = 1; id <= 50; id++) {
      await twin.same(frames.query(`INSERT INTO customers (id, name, balance) VALUES (${id}, 'customer ${id}', ${id})`))
    }
    await twin.end()
  })
  afterAll(async () => {
    await system.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  describe.skipIf(psql === null)('psql', () => {
    const program = psql ?? ''
    const both = async (args: readonly string[], input = ''): Promise<string> => {
      const [got, expected] = await Promise.all([
        runProgram(program, system.target(), ['-X', ...args], input),
        runProgram(program, oracle, ['-X', ...args], input),
      ])
      expect(got).toEqual(expected)
      return got.stdout
    }

    it.each([
      '\\d',
      '\\d customers',
      '\\d+ orders',
      '\\d pages',
      '\\d rich',
      '\\dt',
      '\\dv',
      '\\di',
      '\\dT',
      '\\df',
      '\\d no_such_table',
      '\\dp customers',
    ])('%s', async command => {
      await both(['-c', command])
    })

    it('statements from a file', async () => {
      const out = await both(
        ['-q', '-A', '-t'],
        `SELECT name FROM customers WHERE id = 7;
         BEGIN;
         UPDATE customers SET note = 'from psql' WHERE id = 7 RETURNING note;
         SAVEPOINT s;
         INSERT INTO customers (id, name) VALUES (7, 'again');
         ROLLBACK TO s;
         COMMIT;
         SELECT note FROM customers WHERE id = 7 \\gdesc
         SELECT id, note FROM customers WHERE id = 7 \\gx
         SELECT * FROM customers WHERE id = 7 AND idd = 1;
         \\set ON_ERROR_STOP on
         SELECT 1/0;
         SELECT 'not reached';`,
      )
      expect(out).toContain('from psql')
      expect(out).not.toContain('not reached')
    })

    it('several statements in one -c, and --single-transaction', async () => {
      await both(['-c', "SELECT name FROM customers WHERE id = 1; UPDATE customers SET note = 'c' WHERE id = 1"])
      await both(['-1', '-c', "UPDATE customers SET note = 'lost' WHERE id = 2", '-c', 'SELECT 1/0'])
      await both(['-A', '-c', 'SELECT id, note FROM customers WHERE id = 2'])
    })

    it('COPY out and in', async () => {
      expect(await both(['-c', 'COPY (SELECT id, name FROM customers WHERE id = 3) TO STDOUT'])).toBe('3\tcustomer 3\n')
      await both(['-c', '\\copy (SELECT id, name FROM customers WHERE id = 4) TO STDOUT CSV HEADER'])
      await both(['-c', 'COPY notes FROM STDIN'], '5001\tcopied\n5002\tas well\n')
      await both(['-c', 'COPY notes FROM STDIN'], 'abc\tbroken\n')
      await both(['-A', '-c', 'SELECT * FROM notes WHERE id > 5000 ORDER BY id'])
    })

    it('Ctrl-C', { timeout: 60_000 }, async () => {
      for (const text of ['SELECT pg_sleep(60)', 'SELECT pg_sleep(60) FROM customers WHERE id = 2']) {
        const { child, ended } = startProgram(program, system.target(), ['-X', '-c', text])
        await waitFor('the sleep', async () => {
          const all = await Promise.all(
            system.cluster.nodes.map(({ server }) =>
              server.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
            ),
          )
          return all.some(({ rowCount }) => rowCount === 1)
        })
        child.kill('SIGINT')
        const { code, stderr } = await ended
        expect(stderr).toContain('canceling statement due to user request')
        expect(code).toBe(1)
      }
    })

    it('a wrong password', async () => {
      const { code, stderr } = await runProgram(program, system.target({ password: 'wrong' }), ['-X', '-c', 'SELECT 1'])
      expect(stderr).toContain('password authentication failed for user "app"')
      expect(code).toBe(2)
    })
  })

  describe.skipIf(pgbench === null)('pgbench', () => {
    const program = pgbench ?? ''

    it.each(['simple', 'extended', 'prepared'])('-M %s', { timeout: 120_000 }, async mode => {
      const select = join(folder, 'select.sql')
      const write = join(folder, 'write.sql')
      writeFileSync(select, '\\set id random(1, 50)\nSELECT name FROM customers WHERE id = :id;\n')
      writeFileSync(
        write,
        `\\set id random(1, 50)
         \\set delta random(1, 100)
         BEGIN;
         UPDATE customers SET balance = balance + :delta WHERE id = :id;
         INSERT INTO orders VALUES (:id, :client_id * 1000000 + floor(random() * 1000000)::int, :delta) ON CONFLICT DO NOTHING;
         SELECT balance FROM customers WHERE id = :id;
         END;\n`,
      )
      for (const script of [select, write]) {
        const args = ['-n', '-M', mode, '-f', script, '-c', '8', '-j', '2', '-t', '100']
        const { code, stdout, stderr } = await runProgram(program, system.target(), args)
        expect(stderr).not.toMatch(/error|abort/i)
        expect(stdout).toContain('number of transactions actually processed: 800/800')
        expect(code).toBe(0)
      }
    })
  })
})
