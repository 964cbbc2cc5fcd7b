import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'
import { sendCancel } from '../support/wire.ts'

const LOGIN = { user: 'app', password: 'app' }
/** More than a plan is run plainly before it gets a name. */
const RUNS = 6
const KEYS = 12
const UUID = '6f1c0d0e-0000-4000-8000-00000000000'

const TABLES = [
  { name: 'items', key: 'id' },
  { name: 'pages', key: 'slug' },
  { name: 'devices', key: 'id' },
  { name: 'pairs', key: 'a' },
]

const SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE items (id bigint PRIMARY KEY, name text, feeling mood, born date DEFAULT '2020-02-01', seen timestamptz DEFAULT '2020-02-01 12:00+00');
CREATE TABLE pages (slug text PRIMARY KEY, title varchar(10));
CREATE TABLE devices (id uuid PRIMARY KEY, label text);
CREATE TABLE pairs (a int, b int, v float8, PRIMARY KEY (a, b));
`

describe.each([
  [1, 0],
  [2, 0],
  [2, 1],
])('statements prepared by the proxy, workers=%i, replicas=%i', (workers, replicas) => {
  let system: System
  let twin: Twin

  beforeAll(async () => {
    // One server for each shard and worker: what one client prepared is there for the next.
    const sections = { pool: { default_pool_size: workers } }
    system = await startSystem({ workers, replicas, schema: SCHEMA, tables: TABLES, sections })
    twin = await Twin.connect(system)
    for (let i = 1; i <= KEYS; i++) {
      await both(`INSERT INTO items (id, name, feeling) VALUES (${i}, 'item ${i}', 'ok')`)
      await both(`INSERT INTO pages VALUES ('it''s ${i}', 'title ${i}')`)
      await both(`INSERT INTO devices VALUES ('${UUID}${i % 10}', 'device ${i}') ON CONFLICT DO NOTHING`)
      await both(`INSERT INTO pairs VALUES (${i}, ${i * 10}, ${i}.5)`)
    }
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    twin = await Twin.connect(system)
  })

  async function both(sql: string): Promise<void> {
    const answers = await twin.exchange(frames.query(sql))
    expect(errorOf(answers.proxy)).toBeNull()
    expect(errorOf(answers.oracle)).toBeNull()
  }

  /** Past the proxy, on every shard and the oracle. */
  async function behind(sql: string): Promise<void> {
    const servers = [...system.cluster.shards.map(shard => shard.primary.server), system.oracleServer]
    for (const server of servers) await server?.query(sql, [], LOGIN)
  }

  /** On the default shard's primary. */
  async function names(): Promise<number> {
    const count = `/* shardway: shard=s0 */ SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'shardway%'`
    return Number(await valueOf(twin.proxy, count))
  }

  async function simply(text: (run: number) => string, runs = RUNS): Promise<void> {
    for (let run = 1; run <= runs; run++) await twin.same(frames.query(text(run)))
  }

  async function extended(text: string, parameters: (run: number) => readonly string[], runs = RUNS): Promise<void> {
    for (let run = 1; run <= runs; run++) {
      const bind = frames.bind({ parameters: parameters(run) })
      const unit = [frames.parse(text), bind, frames.describePortal(), frames.execute(), frames.sync]
      await twin.same(Buffer.concat(unit))
    }
  }

  it('simple queries get the answers of plain ones, and are prepared', async () => {
    const before = await names()
    await simply(run => `SELECT * FROM items WHERE id = ${run}`, KEYS)
    await simply(
      run => `/* trace ${run} */ select name, born as b FROM items i WHERE i.id = ${run} AND name = 'item ${run}';`,
    )
    await simply(run => `SELECT title FROM pages WHERE slug = 'it''s ${run}'`)
    await simply(run => `SELECT label FROM devices WHERE id = '${UUID}${run}'`)
    await simply(run => `SELECT v FROM pairs WHERE ${run} = a AND b = ${run * 10}`)
    await simply(run => `SELECT v FROM pairs WHERE a = ${run} AND b = ${run * 10 + 1}`)
    await simply(run => `SELECT name FROM items WHERE id = ${2 ** 40 + run}`)
    if (replicas === 0) expect(await names()).toBeGreaterThan(before)
  })

  it('extended statements get the answers of plain ones, and are prepared', async () => {
    const before = await names()
    await extended('SELECT * FROM items WHERE id = $1', run => [String(run)], KEYS)
    await extended('SELECT title FROM pages WHERE slug = $1', run => [`it's ${run}`])
    await extended('SELECT label FROM devices WHERE id = $1', run => [`${UUID}${run}`])
    await extended('SELECT v FROM pairs WHERE a = $1 AND b = 20', run => [String(run)])
    if (replicas === 0) expect(await names()).toBeGreaterThan(before)
  })

  it('the unnamed statement is the client’s: a Bind without a Parse finds it', async () => {
    await extended('SELECT name FROM items WHERE id = $1', run => [String(run)])
    const bind = frames.bind({ parameters: ['3'] })
    await twin.same(Buffer.concat([bind, frames.execute(), frames.sync]))
    await twin.same(Buffer.concat([frames.describeStatement(), bind, frames.execute(), frames.sync]))
  })

  it('what the shape leaves out is not prepared', async () => {
    const before = await names()
    await simply(run => `SELECT name FROM items WHERE id = ${run} AND born < 'now'`)
    await simply(run => `SELECT name, ${run} FROM items WHERE id = ${run}`)
    await simply(run => `SELECT name FROM items WHERE id = -${run}`)
    await simply(run => `SELECT name FROM items WHERE id = ${run} ORDER BY 1`)
    await simply(run => `SELECT upper(name) FROM items WHERE id = ${run}`)
    await simply(run => `SELECT v FROM pairs WHERE a = ${run}`)
    await simply(run => `SELECT name FROM items WHERE id = ${run} FOR UPDATE`)
    expect(await names()).toBe(before)
  })

  it('errors are those of the text that the client sent, and the connection lives on', async () => {
    await simply(run => `SELECT label FROM devices WHERE id = '${UUID}${run}'`)
    await twin.same(frames.query(`SELECT label FROM devices WHERE id = 'no uuid'`))
    await simply(run => `SELECT nothing FROM items WHERE id = ${run}`)
    await extended('SELECT name FROM items WHERE id = $1', run => [String(run)])
    await extended('SELECT name FROM items WHERE id = $1', () => ['no number'], 2)
    await extended('SELECT name FROM items WHERE id = $1', run => [String(run)])
  })

  it('blocks run what the client sent', async () => {
    await simply(run => `SELECT name FROM items WHERE id = ${run}`)
    await both('BEGIN')
    await both(`UPDATE items SET name = 'new' WHERE id = 1`)
    await twin.same(frames.query('SELECT name FROM items WHERE id = 1'))
    await both('ROLLBACK')
    await twin.same(frames.query('SELECT name FROM items WHERE id = 1'))
  })

  it('settings that change an answer change it', async () => {
    const text = (run: number): string => `SELECT born, seen FROM items WHERE id = ${run}`
    await simply(text)
    await both(`SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'`)
    await simply(text)
    await both('RESET ALL')
    await simply(text)
  })

  it('DDL past the proxy: renamed, retyped, dropped and new columns', async () => {
    const text = (run: number): string => `SELECT * FROM items WHERE id = ${run}`
    await simply(text)
    await extended('SELECT * FROM items WHERE id = $1', run => [String(run)])
    for (const ddl of [
      'RENAME name TO title',
      'ALTER title TYPE varchar(30)',
      'ADD extra int DEFAULT 7',
      'DROP born',
    ]) {
      await behind(`ALTER TABLE items ${ddl}`)
      await simply(text)
      await extended('SELECT * FROM items WHERE id = $1', run => [String(run)])
    }
    await behind(`ALTER TABLE items ADD born date DEFAULT '2020-02-01'`)
    await behind('ALTER TABLE items RENAME title TO name')
    await simply(text)
  })

  it('a table in an earlier schema of the search path takes the name over', async () => {
    await simply(run => `SELECT v FROM pairs WHERE a = ${run} AND b = 10`)
    for (const schema of ['other', 'public']) {
      await behind(
        `CREATE SCHEMA IF NOT EXISTS ${schema}; CREATE TABLE ${schema}.notes (id int PRIMARY KEY, body text)`,
      )
      await behind(`INSERT INTO ${schema}.notes VALUES (1, 'in ${schema}')`)
    }
    const text = 'SELECT body FROM notes WHERE id = 1'
    await both('SET search_path = public, other')
    await expect.poll(async () => rowsOf(await twin.proxy.query(text))).toEqual([['in public']])
    await simply(() => text)
    await both('SET search_path = other, public')
    await simply(() => text)
    expect(rowsOf(await twin.proxy.query(text))).toEqual([['in other']])
  })

  it('rights are looked at for each run', async () => {
    const text = (run: number): string => `SELECT label FROM devices WHERE id = '${UUID}${run}'`
    await simply(text)
    await behind('REVOKE SELECT ON devices FROM app')
    await simply(text)
    expect(errorOf(await twin.proxy.query(text(1)))?.['C']).toBe('42501')
    await behind('GRANT SELECT ON devices TO app')
    await simply(text)
  })

  // A standby has its locks from the primary: who waits for one is not seen there.
  it.runIf(replicas === 0)('a cancelled statement is not run again', async () => {
    const text = 'SELECT v FROM pairs WHERE a = 1 AND b = 10'
    await simply(() => text)
    const shards = system.cluster.shards.map(shard => shard.primary.server)
    const blockers = await Promise.all(shards.map(server => server.connect(LOGIN)))
    try {
      for (const blocker of blockers) await blocker.query('BEGIN; LOCK TABLE pairs')
      const answer = twin.proxy.query(text)
      await expect
        .poll(async () => {
          const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'`
          const counts = await Promise.all(shards.map(server => server.query(waiting)))
          return counts.reduce((sum, { rows }) => sum + Number(rows[0]?.['n']), 0)
        })
        .toBe(1)
      await sendCancel(system.target(), twin.proxy.pid, twin.proxy.secret)
      expect(errorOf(await answer)?.['C']).toBe('57014')
    } finally {
      for (const blocker of blockers) await blocker.end()
    }
    await simply(() => text)
  })
})
