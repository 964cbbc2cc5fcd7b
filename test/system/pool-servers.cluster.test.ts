import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { appPids, onNode } from '../support/app-servers.ts'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'

const PID = 'SELECT pg_backend_pid()'

async function start(workers: number, pool: Record<string, string | number>): Promise<System> {
  const schema = `CREATE TABLE checks (at timestamptz DEFAULT now()); CREATE TABLE broken (flag boolean);
    INSERT INTO broken VALUES (false)`
  return await startSystem({
    workers,
    shards: 1,
    replicas: 0,
    oracle: false,
    schema,
    tables: [],
    sections: { pool: { default_pool_size: 1, ...pool } },
  })
}

describe('server connections of a pool', () => {
  let system: System

  afterEach(async () => {
    await system.stop()
  })

  it('server_lifetime replaces a server that is idle or comes back', async () => {
    system = await start(1, { server_lifetime: '500ms' })
    const [wire, other] = [await system.connect(), await system.connect()]
    const first = await valueOf(wire, PID)
    await waitFor('another server', async () => (await valueOf(wire, PID)) !== first)
    // Inside a transaction it stays.
    await wire.run('BEGIN')
    const second = await valueOf(wire, PID)
    other.send(frames.query(PID))
    await waitFor('its time to be over', async () => {
      expect(await valueOf(wire, PID)).toBe(second)
      const sql = `SELECT now() - backend_start > '1s' FROM pg_stat_activity WHERE pid = ${second}`
      return (await valueOf(wire, sql.replace('now()', 'clock_timestamp()'))) === 't'
    })
    await wire.run('COMMIT')
    const third = rowsOf(await other.until('Z'))[0]?.[0]
    expect(third).not.toBe(second)
  })

  it('server_lifetime = 0: each is used once', async () => {
    system = await start(1, { server_lifetime: '0' })
    const wire = await system.connect()
    const pids = []
    for (let i = 0; i < 4; i++) pids.push(await valueOf(wire, PID))
    expect(new Set(pids).size).toBe(4)
  })

  it.each(['', 'SELECT 1', 'BEGIN'])(
    '%j between an Execute and its Sync leaves nothing to who has the server next',
    async sql => {
      system = await start(1, {})
      const [wire, other] = [await system.connect(), await system.connect()]
      for (let round = 0; round < 3; round++) {
        wire.send(frames.parse('SELECT generate_series(1, 5)'), frames.bind(), frames.execute('', 2), frames.flush)
        await wire.until('s')
        wire.send(frames.query(sql), frames.sync)
        await wire.until('Z')
        await wire.until('Z')
        if (sql === 'BEGIN') expect(errorOf(await wire.run('ROLLBACK'))).toBeNull()
        expect(await valueOf(other, 'SELECT 7')).toBe('7')
      }
    },
  )

  it('server_idle_timeout', async () => {
    system = await start(1, { server_idle_timeout: '400ms' })
    const wire = await system.connect()
    await wire.run('BEGIN; SELECT 1')
    expect(await appPids(system)).toHaveLength(1)
    await wire.run('COMMIT')
    await waitFor('the server to be closed', async () => (await appPids(system)).length === 0)
    await wire.run('SELECT 1')
  })

  it('server_check_query runs before each use with server_check_delay = 0', async () => {
    const query = 'INSERT INTO checks DEFAULT VALUES; SELECT 1 / (1 - flag::int) FROM broken'
    system = await start(1, { server_check_delay: '0', server_check_query: query })
    const wire = await system.connect()
    const pid = await valueOf(wire, PID)
    await onNode(system, 'TRUNCATE checks')
    for (let i = 0; i < 3; i++) expect(await valueOf(wire, PID)).toBe(pid)
    expect(await onNode(system, 'SELECT count(*)::int FROM checks')).toBe(3)
    // A server that fails its check is nobody's; the next one passes, or is not there to be shown.
    await onNode(system, 'UPDATE broken SET flag = true')
    wire.send(frames.query(PID))
    await waitFor('the server to be closed', async () => !(await appPids(system)).includes(Number(pid)))
    await onNode(system, 'UPDATE broken SET flag = false')
    expect(rowsOf(await wire.until('Z'))[0]?.[0]).not.toBe(pid)
  })

  it('server_check_delay: a server that was idle for as long is checked', async () => {
    const query = 'INSERT INTO checks DEFAULT VALUES'
    system = await start(1, { server_check_delay: '300ms', server_check_query: query })
    const wire = await system.connect()
    const count = async (): Promise<number> => Number(await valueOf(wire, 'SELECT count(*) FROM checks'))
    await wire.run('SELECT 1')
    const console = await system.console()
    await waitFor('the server to be used', async () => {
      const description = await console.run('SHOW SERVERS')
      return rowsOf(description).some(row => row[4] === 'used')
    })
    expect(await count()).toBe(1)
    expect(await count()).toBe(1)
  })

  it('settings of pools count from RELOAD on, for servers that are there too', async () => {
    system = await start(1, {})
    const wire = await system.connect()
    const pid = await valueOf(wire, PID)
    const text = readFileSync(system.shardway.configPath, 'utf8')
    system.shardway.writeConfig(
      text.replace('[pool]', '[pool]\nserver_idle_timeout = "300ms"\nquery_timeout = "300ms"'),
    )
    await (await system.console()).run('RELOAD')
    await waitFor('the server to be closed', async () => !(await appPids(system)).includes(Number(pid)))
    wire.send(frames.query('SELECT pg_sleep(100)'))
    expect(errorOf(await wire.rest())).toMatchObject({ M: 'query_timeout' })
  })
})
