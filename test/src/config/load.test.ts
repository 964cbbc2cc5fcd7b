import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig, loadConfigWithNotes, parseConfig } from '../../../src/config/load.ts'
import { redactConfig, secretsOf } from '../../../src/config/secrets.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardway-config-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SMALL = `
[[users]]
name = "app"
password = "plain-secret"
[[databases]]
name = "app"
[[databases.shards]]
name = "s0"
nodes = ["127.0.0.1:5432"]
`

function problems(text: string, environment: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    parseConfig(text, folder, environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('defaults', () => {
  it('are those of the contract', () => {
    const config = parseConfig(SMALL, folder, {})
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 6432, reuse_port: false, tls: { mode: 'prefer' } })
    expect(config.http).toEqual({ host: '127.0.0.1', port: 9632 })
    expect(config.pool).toMatchObject({
      mode: 'transaction',
      default_pool_size: 20,
      max_client_conn: 10_000,
      query_wait_timeout: 120_000,
      lanes: true,
      client_login_timeout: 60_000,
    })
    expect(config.read).toEqual({
      consistency: 'fresh',
      max_replica_lag: 10_000,
      fleet: false,
      strategy: 'least-outstanding',
    })
    expect(config.scatter).toEqual({
      memory: 64 * 1024 ** 2,
      gather_limit: 256 * 1024 ** 2,
      max_routed_statement: 16 * 1024 ** 2,
    })
    expect(config.cache).toEqual({ max_memory: 64 * 1024 ** 2, capture: false })
    expect(config.failover).toMatchObject({ mode: 'managed', probe: 1000, cooldown: 60_000, max_lag: 16 * 1024 ** 2 })
    expect(config.log).toEqual({ level: 'info', slow_query: 1000 })
    expect(config.state).toEqual({ store: 'file', path: join(folder, 'shardway.state') })
    expect(config.server).toEqual({ tls: { mode: 'prefer' } })
    expect(config.databases[0]).toMatchObject({ default_shard: 's0', control_user: 'postgres', control_password: '' })
    expect(config.databases[0]?.shards[0]?.dbname).toBe('app')
    expect(config.users[0]?.password).toEqual(['plain-secret'])
  })

  it('survive JSON, since workers get the configuration over IPC', () => {
    const config = parseConfig(SMALL, folder, {})
    expect(JSON.parse(JSON.stringify(config))).toEqual(config)
  })
})

describe('mistakes', () => {
  it('reuse_port needs a Node that has it, and a port', () => {
    const found = problems(SMALL.replace('[[users]]', '[listen]\nreuse_port = true\nport = 0\n[[users]]'))
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    const has = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
    expect(found.some(line => line.includes('Node 22.12'))).toBe(!has)
    expect(found).toContain('listen.port: found 0, allowed: a port of its own with reuse_port = true')
  })

  it('are all named at once, those between entries too', () => {
    const text = `
[listen]
prot = 6432
port = "x"
[pool]
query_wait_timeout = "two minutes"
mode = "bogus"
[scatter]
memory = "64MB"
[[users]]
name = "app"
password = ""
databases = ["nope"]
[[databases]]
name = "app"
default_shard = "s9"
[[databases.shards]]
name = "s0"
nodes = ["127.0.0.1:5432"]
[[databases.shards]]
name = "s0"
nodes = ["x"]
[[databases.tables]]
name = "both"
key = "id"
reference = true
[[databases.tables]]
name = "neither"
`
    const found = problems(text)
    expect(found).toContain(
      'listen.prot: unknown name (did you mean "port"?), allowed: host, port, reuse_port, workers, tls',
    )
    expect(found).toContain('listen.port: found "x", allowed: a port, 0 to 65535')
    expect(
      found.find(line => line.startsWith('pool.query_wait_timeout: found "two minutes", allowed: a duration')),
    ).toBeDefined()
    expect(found).toContain('pool.mode: found "bogus", allowed: transaction, session, statement')
    expect(found.find(line => line.startsWith('scatter.memory: found "64MB", allowed: a size'))).toBeDefined()
    expect(found).toContain('databases[0].shards[1].nodes[0]: found "x", allowed: HOST:PORT')
    expect(found).toContain(
      'databases[0].shards[1].name: found "s0", which is already the shard at databases[0].shards[0]',
    )
    expect(found).toContain('databases[0].default_shard: found "s9", allowed: s0, s0')
    expect(found).toContain('users[0].databases[0]: found "nope", allowed: app')
    expect(found).toContain('databases[0].tables[0]: found key and reference = true, allowed: one of them')
    expect(found).toContain('databases[0].tables[1]: found neither key nor reference = true, allowed: one of them')
    expect(found.find(line => line.startsWith('users[0].password: found an empty secret'))).toBeDefined()
  })

  it.each([
    ['', 'databases: missing, allowed: one [[databases]] or more'],
    ['[listen]\nport = ', 'shardway.toml: line 2, column 8: '],
    [`${SMALL}\n[[databases.shards]]\nname = "s1"\nnodes = ["127.0.0.1:5433"]`, 'databases[0].default_shard: missing'],
    [SMALL.replace('"127.0.0.1:5432"', '"127.0.0.1:5432", "127.0.0.1:5432"'), 'databases[0].shards[0].nodes[1]: found'],
    [
      SMALL.replace('name = "app"\n[[databases.', 'name = "pgbouncer"\n[[databases.'),
      'databases[0].name: found "pgbouncer"',
    ],
    [SMALL.replace('password = "plain-secret"', ''), 'users[0].password: missing'],
    [SMALL.replace('"plain-secret"', '12'), 'users[0].password: found a number'],
    [SMALL.replace('"plain-secret"', '"SCRAM-SHA-256$broken"'), 'users[0].password: found a broken verifier'],
    [SMALL.replace('password = "plain-secret"', 'password_env = "NOT_SET"'), 'users[0].password_env: the environment'],
    [
      SMALL.replace('password = "plain-secret"', 'password_file = "gone"'),
      'users[0].password_file: "gone" cannot be read',
    ],
    [`[auth]\nquery = "select 1"\n${SMALL}`, 'auth.query: the query does not contain $1'],
    [`[auth]\nquery = "select $10"\n${SMALL}`, 'auth.query: the query does not contain $1'],
    [`[auth]\nmethod = "hba"\n${SMALL}`, 'auth.hba_file: missing'],
    [`[auth]\nmethod = "cert"\n${SMALL}`, 'listen.tls.mode: method = "cert" needs a verified certificate'],
    [`[auth]\nmethod = "plain"\n${SMALL.replace('password = "plain-secret"', '')}`, 'users[0].password: missing'],
    [SMALL.replace('plain-secret', `md5${'0'.repeat(32)}`), 'users[0].password: found an md5 hash'],
    [`[state]\nstore = "etcd"\n${SMALL}`, 'state.store: "etcd" is not yet supported'],
    [`[failover]\nmode = "patroni"\n${SMALL}`, 'failover.mode: "patroni" is not yet supported'],
    [`[listen.tls]\ncert = "a"\n${SMALL}`, 'listen.tls.key: missing'],
    ['[[users]]\nname = 1979-05-27\n', 'users[0].name: found a date, allowed: a name'],
  ])('%#: %s', (text, expected) => {
    const found = problems(text)
    expect(
      found.some(line => line.startsWith(expected)),
      found.join('\n'),
    ).toBe(true)
  })

  it('of TLS', () => {
    expect(problems(`[listen.tls]\nmode = "require"\n${SMALL}`)[0]).toContain('listen.tls.cert: missing')
    expect(problems(`[listen.tls]\nmode = "verify-ca"\ncert = "a"\nkey = "b"\n${SMALL}`)[0]).toContain(
      'listen.tls.ca: missing',
    )
    expect(problems(`[server.tls]\nmode = "verify-full"\n${SMALL}`)[0]).toContain('server.tls.ca: missing')
    expect(parseConfig(`[server.tls]\nca = "a"\n${SMALL}`, '/x', {}).server.tls).toEqual({
      mode: 'verify-full',
      ca: '/x/a',
    })
  })

  it('need a plain password where a login tells the proxy nothing that a server would take', () => {
    const verifier = `SCRAM-SHA-256$4096:${btoa('salt')}$${btoa('stored')}:${btoa('server')}`
    const text = SMALL.replace('plain-secret', verifier)
    expect(problems(text)).toEqual([])
    const found = problems(`[auth]\nmethod = "trust"\n${text}`)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain('databases[0].server_user: missing, so user "app" needs a plain password')
    const named = text.replace('name = "app"\n[[d', 'name = "app"\nserver_user = "x"\n[[d')
    expect(problems(`[auth]\nmethod = "trust"\n${named}`)).toEqual([])
  })

  it('of a file that is not there', () => {
    expect(() => loadConfig(join(folder, 'gone.toml'))).toThrow(/no such file/)
  })

  it('never repeat a secret', () => {
    const texts = [
      SMALL.replace('"plain-secret"', '["hidden-word", 5]'),
      '[[users]]\nname = "a"\npassword = "hidden-word" garbage\n',
      SMALL.replace('name = "app"\n[[d', 'name = "app"\nserver_user = "x"\nserver_password = ["hidden-word"]\n[[d'),
    ]
    for (const text of texts) {
      const found = problems(text)
      expect(found.length).toBeGreaterThan(0)
      expect(found.join('\n')).not.toContain('hidden-word')
    }
  })
})

describe('files and secrets', () => {
  it('are relative to the file', () => {
    writeFileSync(join(folder, 'pw'), 'from-file\n')
    writeFileSync(
      join(folder, 'shardway.toml'),
      `[state]\npath = "sub/s"\n${SMALL.replace('password = "plain-secret"', 'password_file = "pw"')}`,
    )
    const config = loadConfig(join(folder, 'shardway.toml'))
    expect(config.state.path).toBe(join(folder, 'sub/s'))
    expect(config.users[0]?.password).toEqual(['from-file'])
  })

  it('come from the environment', () => {
    const text = SMALL.replace('password = "plain-secret"', 'password_env = "PW"')
    expect(parseConfig(text, folder, { PW: 'from-env' }).users[0]?.password).toEqual(['from-env'])
  })

  it('are redacted', () => {
    const text = `[cache]\nredis = "redis://:hidden@127.0.0.1/0"\n${SMALL}`
    const config = parseConfig(text, folder, {})
    expect(secretsOf(config)).toEqual(['redis://:hidden@127.0.0.1/0', 'plain-secret'])
    const shown = JSON.stringify(redactConfig(config))
    for (const secret of secretsOf(config)) expect(shown).not.toContain(secret)
    expect(shown).toContain('"name":"app"')
  })

  it('notes what is served without', () => {
    writeFileSync(join(folder, 'n.toml'), `[cache]\nredis = "redis://127.0.0.1/0"\n${SMALL}`)
    expect(loadConfigWithNotes(join(folder, 'n.toml')).notes).toEqual([
      'cache.redis: not yet supported in this release; nothing is cached',
    ])
  })
})
