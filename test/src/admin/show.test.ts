import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../../src/admin/commands.ts'
import { runConsole } from '../../../src/admin/console.ts'
import { adminContext, SECRETS, statsReport, workerReport } from './context.ts'
import { ask } from './ask.ts'

/** Columns of PgBouncer 1.25, in its order. */
const PGBOUNCER: Readonly<Record<string, string>> = {
  pools:
    'database,user,cl_active,cl_waiting,cl_active_cancel_req,cl_waiting_cancel_req,sv_active,sv_active_cancel,sv_being_canceled,sv_idle,sv_used,sv_tested,sv_login,maxwait,maxwait_us,pool_mode,load_balance_hosts',
  stats:
    'database,total_server_assignment_count,total_xact_count,total_query_count,total_received,total_sent,total_xact_time,total_query_time,total_wait_time,total_client_parse_count,total_server_parse_count,total_bind_count,total_client_login_count,avg_server_assignment_count,avg_xact_count,avg_query_count,avg_recv,avg_sent,avg_xact_time,avg_query_time,avg_wait_time,avg_client_parse_count,avg_server_parse_count,avg_bind_count,avg_client_login_count',
  stats_totals:
    'database,server_assignment_count,xact_count,query_count,bytes_received,bytes_sent,xact_time,query_time,wait_time,client_parse_count,server_parse_count,bind_count,client_login_count',
  stats_averages:
    'database,server_assignment_count,xact_count,query_count,bytes_received,bytes_sent,xact_time,query_time,wait_time,avg_client_parse_count,avg_server_parse_count,avg_bind_count,avg_client_login_count',
  totals: 'name,value',
  clients:
    'type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id',
  servers:
    'type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id',
  databases:
    'name,host,port,database,force_user,pool_size,min_pool_size,reserve_pool_size,server_lifetime,pool_mode,load_balance_hosts,max_connections,current_connections,max_client_connections,current_client_connections,paused,disabled',
  sockets:
    'type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id,recv_pos,pkt_pos,pkt_remain,send_pos,send_remain,pkt_avail,send_avail',
  active_sockets:
    'type,user,database,replication,state,addr,port,local_addr,local_port,connect_time,request_time,wait,wait_us,close_needed,ptr,link,remote_pid,tls,application_name,prepared_statements,id,recv_pos,pkt_pos,pkt_remain,send_pos,send_remain,pkt_avail,send_avail',
  mem: 'name,size,used,free,memtotal',
  peers: 'peer_id,host,port,pool_size',
  peer_pools: 'peer_id,cl_active_cancel_req,cl_waiting_cancel_req,sv_active_cancel,sv_login',
  dns_hosts: 'hostname,ttl,addrs',
  dns_zones: 'zonename,serial,count',
  users:
    'name,pool_size,reserve_pool_size,pool_mode,max_user_connections,current_connections,max_user_client_connections,current_client_connections',
  lists: 'list,items',
  config: 'key,value,default,changeable',
  state: 'key,value',
  version: 'version',
}

describe('SHOW', () => {
  it.each(Object.entries(PGBOUNCER))('%s has PgBouncer’s columns first', async (name, columns) => {
    const result = await runConsole(`show ${name}`, adminContext())
    expect(result.tag).toBe('SHOW')
    expect(result.columns.map(column => column.name).join(',')).toMatch(new RegExp(`^${columns}(,|$)`))
    for (const row of result.rows) expect(row).toHaveLength(result.columns.length)
  })

  it('POOLS sums over workers and nodes', async () => {
    const rows = await ask('SHOW POOLS;')
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatchObject({
      database: 'app',
      user: 'app',
      cl_active: '2',
      cl_waiting: '1',
      sv_active: '3',
      sv_idle: '3',
      maxwait: '2',
      maxwait_us: '500000',
      pool_mode: 'transaction',
      nodes: '2',
      size: '30',
    })
    expect(rows[1]).toMatchObject({ database: 'shardway', user: 'watch', cl_active: '1', pool_mode: 'statement' })
  })

  it('STATS sums over workers and averages over the period', async () => {
    const [row] = await ask('SHOW STATS')
    expect(row).toMatchObject({ total_query_count: '120', total_query_time: '6000', total_sent: '1000' })
    // 60 statements and 3000 µs in 60 s since the sample.
    expect(row).toMatchObject({
      avg_query_count: '1',
      avg_query_time: '50',
      avg_wait_time: '10',
      total_replica_reads: '5',
    })
    const totals = await ask('SHOW TOTALS')
    expect(totals.find(one => one['name'] === 'total_query_count')?.['value']).toBe('120')
    expect(totals.find(one => one['name'] === 'avg_query_time')?.['value']).toBe('50')
    expect(totals).toHaveLength(24)
  })

  it('STATS are whole microseconds, whatever the clock gave', async () => {
    const fraction = workerReport({
      stats: [
        statsReport({ queries: 3, transactions: 3, queryTimeUs: 10.4, transactionTimeUs: 20.7, waitTimeUs: 1000 / 3 }),
      ],
    })
    const context = adminContext({ reports: () => Promise.resolve([fraction, fraction]) })
    for (const name of ['STATS', 'STATS_TOTALS', 'STATS_AVERAGES', 'TOTALS']) {
      for (const row of (await runConsole(`SHOW ${name}`, context)).rows) {
        for (const cell of row.slice(1)) expect(cell, name).toMatch(/^\d+$/)
      }
    }
    expect((await ask('SHOW STATS', context))[0]).toMatchObject({ total_query_time: '21', total_wait_time: '667' })
  })

  it('CLIENTS and SERVERS say who and where', async () => {
    const clients = await ask('SHOW CLIENTS')
    expect(clients.map(row => row['id'])).toEqual(['1', '2', '3', '9'])
    expect(clients[0]).toMatchObject({
      type: 'C',
      state: 'active',
      connect_time: '2026-01-02 03:04:05 UTC',
      request_time: '',
    })
    expect(clients[1]).toMatchObject({ state: 'waiting', wait: '2', wait_us: '500000' })
    expect(clients[2]).toMatchObject({ worker: '1', pins: 'temporary table' })
    const servers = await ask('SHOW SERVERS')
    expect(servers[1]).toMatchObject({ type: 'S', addr: '10.0.1.1', port: '5432', shard: 's1', remote_pid: '42' })
  })

  it('DATABASES, USERS, LISTS, STATE', async () => {
    const databases = await ask('SHOW DATABASES')
    expect(databases[0]).toMatchObject({ name: 'app', host: '10.0.0.1', port: '5432', force_user: 'app', shards: '2' })
    expect(databases[1]).toMatchObject({ name: 'shardway', host: null })
    const users = await ask('SHOW USERS')
    expect(users[1]).toMatchObject({ name: 'watch', pool_size: '3', current_client_connections: '1', stats: 'yes' })
    const lists = new Map((await ask('SHOW LISTS')).map(row => [row['list'], row['items']]))
    expect(lists.get('used_clients')).toBe('4')
    expect(lists.get('used_servers')).toBe('1')
    expect(lists.get('nodes')).toBe('4')
    expect(await ask('SHOW STATE')).toContainEqual({ key: 'active', value: 'yes' })
  })

  it('VERSION is PgBouncer’s where tools made for it ask', async () => {
    expect(await ask('show version')).toEqual([{ version: 'Shardway 1.2.3' }])
    expect(await ask('show version', adminContext({ alias: 'pgbouncer' }))).toEqual([
      { version: 'PgBouncer 1.25.0 (Shardway 1.2.3)' },
    ])
  })

  it('CONFIG has both names, in the units of each, sorted', async () => {
    const rows = await ask('SHOW CONFIG')
    const values = new Map(rows.map(row => [row['key'], row]))
    expect(values.get('query_wait_timeout')).toMatchObject({ value: '120', default: '120', changeable: 'yes' })
    expect(values.get('pool.query_wait_timeout')).toMatchObject({ value: '2m', default: '2m', changeable: 'yes' })
    // What the file leaves out is its default, in the same words.
    expect(
      rows.filter(row => /^(pool|scatter|cache|failover)\./.test(row['key'] ?? '') && row['value'] !== row['default']),
    ).toEqual([])
    expect(values.get('scatter.memory')).toMatchObject({ value: '64MiB', default: '64MiB' })
    expect(values.get('listen.port')).toMatchObject({ value: '6432', changeable: 'no' })
    expect(values.get('listen.tls.mode')).toMatchObject({ value: 'prefer' })
    expect(values.get('max_client_conn')).toMatchObject({ value: '10000' })
    const keys = rows.map(row => row['key'] ?? '')
    expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)))
  })

  it('SHARDS, NODES, SLOTS, TABLES', async () => {
    expect(await ask('SHOW SHARDS')).toMatchObject([
      {
        shard: 's0',
        state: 'up',
        primary: '10.0.0.1:5432',
        term: '2',
        slots: '8576',
        slots_percent: '52.3',
        default_shard: 'yes',
      },
      { shard: 's1', state: 'degraded', nodes_up: '1', slots: '7808', sv_total: '1' },
    ])
    expect(await ask('SHOW NODES')).toMatchObject([
      { node: '10.0.0.1:5432', role: 'primary', state: 'up', lag_seconds: null, sv_active: '1' },
      { node: '10.0.0.2:5432', role: 'replica', lag_seconds: '1.5' },
      { node: '10.0.1.1:5432' },
      { node: '10.0.1.2:5432', state: 'down' },
    ])
    expect(await ask('SHOW SLOTS')).toMatchObject([
      { first_slot: '0', last_slot: '8191', slots: '8192', shard: 's0' },
      { first_slot: '8192', last_slot: '15999', shard: 's1' },
      { first_slot: '16000', last_slot: '16383', shard: 's0' },
    ])
    expect(await ask('SHOW TABLES')).toMatchObject([
      { table: 'customers', placement: 'sharded', key: 'id', declared: 'yes', exists: 'no' },
      { table: 'later', exists: 'no' },
    ])
  })

  it('answers what drivers ask for', async () => {
    expect(await ask('SHOW client_encoding')).toEqual([{ client_encoding: 'UTF8' }])
    expect(await ask('select version')).toEqual([{ version: 'Shardway 1.2.3' }])
  })

  it('never shows a secret', async () => {
    for (const command of COMMANDS) {
      if (command.run === null || !command.name.startsWith('show ')) continue
      const shown = JSON.stringify(await runConsole(command.name, adminContext()))
      for (const secret of SECRETS) expect(shown, command.name).not.toContain(secret)
    }
  })
})
