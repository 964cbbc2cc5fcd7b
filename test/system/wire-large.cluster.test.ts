/** Messages over [scatter] max_routed_statement: passed on in pieces where the shard is known, refused where it is not. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf, tagsOf, valueOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { seeded } from '../support/random.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const LIMIT_BYTES = 512 * 1024
const LARGE = 'x'.repeat(LIMIT_BYTES * 3)
const sections = { scatter: { max_routed_statement: '512KiB' } }
const LENGTH = 'SELECT length($1::text)'

const { parse, bind, execute, sync, query, flush } = frames

describe('large messages, one shard', () => {
  let system: System
  let workerPids: number[]

  beforeAll(async () => {
    system = await startSystem({ workers: 1, shards: 1, replicas: 0, sections })
    workerPids = childrenOf(system.shardway.pid)
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    await system.isServing()
    expect(childrenOf(system.shardway.pid)).toEqual(workerPids)
  })

  const STEPS: ReadonlyArray<readonly [string, readonly Buffer[], number]> = [
    ['a query', [query(`SELECT length('${LARGE}')`), query('SELECT 2')], 2],
    ['a query that fails', [query(`SELECT nonsense, '${LARGE}'`), query('SELECT 2')], 2],
    ['a query with an error at its end', [query(`SELECT length('${LARGE}') +`), query('SELECT 2')], 2],
    ['several statements', [query(`SELECT 1; SELECT length('${LARGE}'); SELECT 3`)], 1],
    ['a block in one query', [query(`BEGIN; SELECT length('${LARGE}')`), query('SELECT 3'), query('COMMIT')], 3],
    [
      'a query in a block',
      [
        query('BEGIN'),
        query(`SELECT length('${LARGE}')`),
        query('SELECT 1/0'),
        query(`SELECT '${LARGE}'`),
        query('ROLLBACK'),
      ],
      5,
    ],
    ['a Bind, unnamed', [parse(LENGTH), bind({ parameters: [LARGE] }), frames.describePortal(), execute(), sync], 1],
    [
      'a Bind, named',
      [
        parse(LENGTH, 'named'),
        bind({ statement: 'named', parameters: [LARGE] }),
        execute(),
        bind({ statement: 'named', parameters: ['short'] }),
        execute(),
        bind({ statement: 'named', parameters: [`${LARGE}${LARGE}`] }),
        execute(),
        sync,
        frames.closeStatement('named'),
        sync,
      ],
      2,
    ],
    [
      'a Bind with a large binary parameter',
      [parse(LENGTH), bind({ parameters: [Buffer.from(LARGE)] }), execute(), sync],
      1,
    ],
    [
      'a Bind behind an error',
      [parse('SELECT nonsense'), bind({ parameters: [LARGE] }), execute(), sync, query('SELECT 2')],
      2,
    ],
    [
      'a Bind behind an error that only the server finds',
      [
        parse('SELECT 1/0'),
        bind(),
        execute(),
        parse(LENGTH),
        bind({ parameters: [LARGE] }),
        execute(),
        sync,
        query('SELECT 2'),
      ],
      2,
    ],
    [
      'a Bind to no statement',
      [bind({ statement: 'nobody', parameters: [LARGE] }), execute(), sync, query('SELECT 2')],
      2,
    ],
    ['a Bind with too many parameters', [parse('SELECT 1'), bind({ parameters: [LARGE] }), execute(), sync], 1],
    ['Flush behind a Bind', [parse(LENGTH), bind({ parameters: [LARGE] }), flush, execute(), flush, sync], 1],
    [
      'a Bind in a block',
      [query('BEGIN'), parse(LENGTH), bind({ parameters: [LARGE] }), execute(), sync, query('COMMIT')],
      3,
    ],
    [
      'COPY with large rows',
      [
        query('COPY notes FROM STDIN'),
        frames.copyData(`3001\t${LARGE}\n`),
        frames.copyData(`3002\t${LARGE}\n`),
        frames.copyDone,
        query('SELECT id, length(body) FROM notes WHERE id > 3000 ORDER BY id'),
        query('DELETE FROM notes WHERE id > 3000'),
      ],
      3,
    ],
    [
      'COPY with an error in a large row',
      [
        query('COPY notes FROM STDIN'),
        frames.copyData(`abc\t${LARGE}\n`),
        frames.copyData(`3002\t${LARGE}\n`),
        frames.copyDone,
        query('SELECT 1'),
      ],
      2,
    ],
    ['large CopyData outside of COPY', [frames.copyData(LARGE), query('SELECT 1')], 1],
  ]

  it.each(STEPS)('%s', async (_name, parts, count) => {
    const twin = await Twin.connect(system)
    await twin.same(Buffer.concat(parts), 'Z', count)
    await twin.same(query('SELECT 1'))
    await twin.end()
  })

  it('each of them, cut at random', { timeout: 120_000 }, async () => {
    const random = seeded('large messages')
    for (const [name, parts, count] of STEPS) {
      const twin = await Twin.connect(system)
      const bytes = Buffer.concat(parts)
      const cuts = Array.from({ length: 20 }, () => 1 + random.below(bytes.length - 1)).toSorted((a, b) => a - b)
      twin.oracle.send(bytes)
      await twin.proxy.sendSplit(bytes, ...cuts)
      const [proxy, oracle] = await Promise.all([twin.proxy.until('Z', count), twin.oracle.until('Z', count)])
      expect(twin.difference({ proxy, oracle }), name).toBeNull()
      await twin.end()
    }
  })

  it('a large Parse is refused, and the session lives on', async () => {
    const wire = await system.connect()
    wire.send(parse(`SELECT '${LARGE}'`, 'mine'), bind({ statement: 'mine' }), execute(), sync)
    const answer = await wire.until('Z')
    expect(answer.map(({ type }) => type)).toEqual(['E', 'Z'])
    expect(errorOf(answer)?.['C']).toBe('54000')
    expect(await valueOf(wire, 'SELECT 4')).toBe('4')
    await wire.end()
  })

  it('what a large query set stays with its session', async () => {
    const wire = await system.connect()
    await wire.run(`SET application_name = 'mine'; SELECT length('${LARGE}')`)
    expect(await valueOf(wire, 'SHOW application_name')).toBe('mine')
    const others = await Promise.all(Array.from({ length: 30 }, () => system.connect()))
    for (const other of others) expect(await valueOf(other, 'SHOW application_name')).toBe('')
    await wire.end()
    for (const other of others) expect(await valueOf(other, 'SHOW application_name')).toBe('')
  })

  it('a client that goes away in the midst', async () => {
    for (const bytes of [
      query(`DELETE FROM notes; SELECT '${LARGE}'`),
      Buffer.concat([parse('UPDATE notes SET body = $1'), bind({ parameters: [LARGE] }), execute(), sync]),
      Buffer.concat([query('COPY notes FROM STDIN'), frames.copyData(`3001\t${LARGE}\n`)]),
    ]) {
      const wire = await system.connect()
      wire.send(bytes.subarray(0, LIMIT_BYTES * 2))
      await wire.sendSplit(bytes.subarray(LIMIT_BYTES * 2, LIMIT_BYTES * 2 + 100))
      wire.destroy()
    }
    const wire = await system.connect()
    expect(await valueOf(wire, 'SELECT count(*) FROM notes WHERE length(body) < 100')).not.toBe('0')
    await wire.end()
  })

  it('a server that goes away in the midst', async () => {
    const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
    for (const bytes of [
      query(`SELECT '${LARGE}'`),
      Buffer.concat([parse(LENGTH), bind({ parameters: [LARGE] }), execute(), sync]),
    ]) {
      const wire = await system.connect()
      await wire.sendSplit(bytes.subarray(0, LIMIT_BYTES * 2))
      const console = await system.console()
      await waitFor('a server to have the head of it', async () =>
        rowsOf(await console.run('SHOW SERVERS')).some(row => row.includes('active')),
      )
      await console.end()
      await primary.server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND pid <> pg_backend_pid()",
      )
      wire.send(bytes.subarray(LIMIT_BYTES * 2))
      const answer = await wire.until('E')
      expect(errorOf(answer)?.['C'] ?? 'none').toMatch(/^(08006|08007)$/)
      wire.destroy()
    }
  })
})

describe('large messages, two shards', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 2, shards: 2, replicas: 0, sections })
    const twin = await Twin.connect(system)
    for (let id = 1; id <= 6; id++) {
      await twin.same(query(`INSERT INTO customers (id, name) VALUES (${id}, 'customer ${id}')`))
    }
    await twin.end()
  })
  afterAll(async () => {
    await system.stop()
  })

  const UPDATE = 'UPDATE customers SET note = $2 WHERE id = $1 RETURNING id, length(note)'
  const TURNED = 'UPDATE customers SET note = $1 WHERE id = $2 RETURNING id, length(note)'

  it('a Bind whose key was seen goes to its shard', async () => {
    const twin = await Twin.connect(system)
    await twin.same(Buffer.concat([parse(UPDATE, 'u'), sync]))
    for (let id = 1; id <= 6; id++) {
      await twin.same(
        Buffer.concat([
          bind({ statement: 'u', parameters: [String(id), LARGE] }),
          frames.describePortal(),
          execute(),
          sync,
        ]),
      )
    }
    for (let id = 1; id <= 6; id++) {
      await twin.same(query(`SELECT id, length(note) FROM customers WHERE id = ${id}`))
    }
    await twin.end()
  })

  it('a Bind whose key lies behind is refused, and the session lives on', async () => {
    const wire = await system.connect()
    for (const before of ['', 'BEGIN']) {
      if (before !== '') await wire.run(before)
      wire.send(parse(TURNED), bind({ parameters: [LARGE, '1'] }), execute(), sync)
      const answer = await wire.until('Z')
      expect(errorOf(answer)?.['C']).toBe('54000')
      expect(answer.filter(({ type }) => type === 'E')).toHaveLength(1)
      expect(statusOf(answer)).toBe(before === '' ? 'I' : 'E')
      if (before !== '') await wire.run('ROLLBACK')
      expect(tagsOf(await wire.run('SELECT name FROM customers WHERE id = 1'))).toEqual(['SELECT 1'])
    }
    await wire.end()
  })

  it('a large query is refused, in every state, and the session lives on', async () => {
    const wire = await system.connect()
    const large = query(`SELECT '${LARGE}'`)
    const refused = async (status: string, sqlstate = '54000'): Promise<void> => {
      wire.send(large, query('SELECT name FROM customers WHERE id = 2'))
      const [first, second] = [await wire.until('Z'), await wire.until('Z')]
      expect(first.map(({ type }) => type)).toEqual(['E', 'Z'])
      expect(errorOf(first)?.['C']).toBe(sqlstate)
      expect([statusOf(first), statusOf(second)]).toEqual([status, status])
      expect(rowsOf(second)).toEqual(status === 'I' ? [['customer 2']] : [])
    }
    await refused('I')
    await wire.run('BEGIN')
    await refused('E')
    await wire.run('ROLLBACK')
    await wire.run('BEGIN; SELECT name FROM customers WHERE id = 2 FOR UPDATE')
    await refused('E')
    await wire.run('ROLLBACK')
    await wire.end()
  })
})
