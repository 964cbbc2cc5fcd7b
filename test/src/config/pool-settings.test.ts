import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../src/config/load.ts'
import {
  connectionLimits,
  hasClientTimeouts,
  hasStatementLimits,
  poolSettings,
} from '../../../src/config/pool-settings.ts'

const FILE = `
[pool]
default_pool_size = 20
reserve_pool_size = 1
max_user_connections = 50
max_db_connections = 60
query_wait_timeout = "30s"
server_lifetime = "2h"
[[users]]
name = "plain"
password = "x"
[[users]]
name = "own"
password = "x"
max_statements_per_second = 5
pool = { mode = "session", default_pool_size = 3, query_wait_timeout = "1s", query_timeout = "5s", max_user_connections = 0 }
[[databases]]
name = "app"
server_user = "x"
pool = { mode = "statement", default_pool_size = 7, reserve_pool_size = 2, max_db_connections = 9, server_lifetime = "1m" }
[[databases.shards]]
name = "s0"
nodes = ["h:5432"]
[[databases]]
name = "other"
server_user = "x"
[[databases.shards]]
name = "s0"
nodes = ["h:5432"]
`
const config = parseConfig(FILE, '/', {})

describe('what counts for a user in a database', () => {
  it.each([
    ['other', 'plain', { mode: 'transaction', size: 20, reserveSize: 1, waitTimeoutMs: 30_000, queryTimeoutMs: 0 }],
    ['app', 'plain', { mode: 'statement', size: 7, reserveSize: 2, waitTimeoutMs: 30_000, serverLifetimeMs: 60_000 }],
    ['other', 'own', { mode: 'session', size: 3, reserveSize: 1, waitTimeoutMs: 1000, serverLifetimeMs: 7_200_000 }],
    ['app', 'own', { mode: 'session', size: 3, reserveSize: 2, queryTimeoutMs: 5000, serverLifetimeMs: 60_000 }],
    ['nowhere', 'nobody', { mode: 'transaction', size: 20 }],
  ])('%s, %s', (database, user, expected) => {
    expect(poolSettings(config, database, user)).toMatchObject(expected)
  })

  it('limits; 0 of a user lifts the general one', () => {
    expect(connectionLimits(config, 'app', 'plain')).toMatchObject({ databaseServers: 9, userServers: 50 })
    expect(connectionLimits(config, 'other', 'own')).toMatchObject({ databaseServers: 60, userServers: 0 })
  })

  it('the check: "<empty>" is an empty query, "" is none', () => {
    const checkOf = (query: string) => {
      const pool = { ...config.pool, server_check_query: query }
      return poolSettings({ ...config, pool }, 'app', 'plain').checkQuery
    }
    expect([checkOf('<empty>'), checkOf(''), checkOf('select 1')]).toEqual(['', null, 'select 1'])
  })

  it('whether anybody is limited at all', () => {
    expect(hasClientTimeouts(config)).toBe(true)
    expect(hasClientTimeouts({ ...config, users: [] })).toBe(false)
    expect(hasStatementLimits(config)).toBe(true)
    expect(poolSettings(config, 'app', 'own').limited).toBe(true)
    expect(poolSettings(config, 'app', 'plain').limited).toBe(false)
    expect(hasStatementLimits({ ...config, users: [] })).toBe(false)
  })
})
