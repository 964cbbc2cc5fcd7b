import { describe, expect, it } from 'vitest'
import { runConsole } from '../../../src/admin/console.ts'
import { adminContext } from './context.ts'
import { ask } from './ask.ts'

describe('statements', () => {
  it.each(['SHOW POOLS', 'show   pools ;', '  ShOw\n\tPools;; ', '-- hello\nshow pools', '/* x */ SHOW POOLS;'])(
    '%j is read',
    async sql => expect((await runConsole(sql, adminContext())).rows).toHaveLength(2),
  )

  it.each(['', ' ; ', '-- nothing'])('%j is empty', async sql => {
    expect((await runConsole(sql, adminContext())).tag).toBe('')
  })

  it.each([
    ['SHOW', '42601'],
    ['SHOW NOTHING', '42601'],
    ['SHOW POOLS; SHOW STATS', '42601'],
    ['SHOW POOLS extra', '42601'],
    ["SHOW 'pools'", '42601'],
    ["SHOW 'pools", '42601'],
    ['BEGIN', '42601'],
    ['KILL_CLIENT', '42601'],
    ['KILL_CLIENT 1; drop table x', '42601'],
    ['KILL_CLIENT -1', '42601'],
    ['KILL_CLIENT 7', '42704'],
    ['KILL_CLIENT c1-2', '42704'],
    ['KILL_CLIENT s0-2', '42601'],
    ['RECONNECT nope', '42704'],
    ['SHOW SHARDS database=nope', '42704'],
    ['SHUTDOWN toString', '42601'],
    ['SHOW __proto__', '42601'],
    ['EXPLAIN', '42601'],
    ['PAUSE nope', '42704'],
    ['DISABLE', '42601'],
    ['SUSPEND', '0A000'],
    ['SET default_pool_size = 3', '42601'],
    ['REBALANCE start', '0A000'],
    ['SHOW FDS', '0A000'],
    ['SHARD ADD s2', '0A000'],
    ['tenant list', '0A000'],
    ['failover s0', '0A000'],
  ])('%s is refused with %s', async (sql, sqlstate) => {
    const context = adminContext()
    await expect(runConsole(sql, context)).rejects.toMatchObject({ name: 'ShardwayError', sqlstate })
  })

  it('KILL_CLIENT takes the ptr of SHOW CLIENTS too', async () => {
    const context = adminContext()
    const row = (await ask('SHOW CLIENTS', context)).find(one => one['id'] === '2')
    expect((await runConsole(`KILL_CLIENT ${row?.['ptr'] ?? ''}`, context)).tag).toBe('KILL_CLIENT')
    expect(context.calls).toEqual(['kill 2'])
  })

  it('command', async () => {
    const context = adminContext()
    const tags: string[] = []
    for (const sql of [
      'RELOAD',
      'KILL_CLIENT 2;',
      'RECONNECT',
      'reconnect app',
      'SHUTDOWN',
      'shutdown wait_for_clients',
      'PAUSE',
      'pause app',
      'RESUME app',
      'DISABLE app',
      'enable app',
      'KILL app',
      'WAIT_CLOSE',
      "SET application_name = 'x'",
      'set extra_float_digits=3',
    ]) {
      tags.push((await runConsole(sql, context)).tag)
    }
    expect(tags.join(' ')).toBe(
      'RELOAD KILL_CLIENT RECONNECT RECONNECT SHUTDOWN SHUTDOWN PAUSE PAUSE RESUME DISABLE ENABLE KILL WAIT_CLOSE SET SET',
    )
    expect(context.calls).toEqual([
      'reload',
      'kill 2',
      'reconnect *',
      'reconnect app',
      'shutdown immediate',
      'shutdown wait-for-clients',
      'pause *',
      'pause app',
      'resume app',
      'disable app',
      'enable app',
      'kill-all app',
      'wait-close *',
    ])
  })

  it.each([
    ["EXPLAIN 'select * from t where id = $1' '42'", { sql: 'select * from t where id = $1', params: ['42'] }],
    ["explain database=app 'select ''x'';'", { sql: "select 'x';", params: [] }],
    ["EXPLAIN SELECT 'a' FROM t WHERE database=1 ;", { sql: "SELECT 'a' FROM t WHERE database=1", params: [] }],
  ])('%s', async (sql, expected) => {
    const context = adminContext()
    expect((await runConsole(sql, context)).tag).toBe('EXPLAIN')
    expect(JSON.parse(context.calls[0]!)).toEqual({ database: 'app', ...expected })
  })

  it('STATUS has a row for each node and a summary', async () => {
    const result = await runConsole('status', adminContext())
    expect(result.rows).toHaveLength(4)
    expect(result.notices[0]).toContain('Shardway 1.2.3, epoch 7, 2 workers, 4 clients')
  })
})
