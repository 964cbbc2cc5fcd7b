import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'smol-toml'
import { readIni, readPairs, readUserlist } from '../../../../src/cli/import-pgbouncer/ini.ts'
import { importPgbouncer, runImport } from '../../../../src/cli/import-pgbouncer/run.ts'
import { parseConfig } from '../../../../src/config/load.ts'
import { makeVerifier } from '../../../../src/protocol/scram-verifier.ts'

const INI = `
;; a comment
[databases]
app = host=10.0.0.1 port=6000 dbname=app_db user=owner password='it''s' pool_size=7 min_pool_size=2 pool_mode=statement
"odd ""name""" = host=10.0.0.2,10.0.0.3 max_db_connections=9 server_lifetime=60 connect_query='SELECT 1'
* = host=fallback

[users]
alice = pool_mode=session max_user_connections=4 query_timeout=2.5
ghost = pool_size=3

[pgbouncer]
listen_addr = *
listen_port = 6543
auth_type = scram-sha-256
auth_file = userlist.txt
admin_users = alice, root
stats_users = bob
pool_mode = transaction
max_client_conn = 500
default_pool_size = 25
query_wait_timeout = 30
idle_transaction_timeout = 0.5
server_check_query = select 1
ignore_startup_parameters = extra_float_digits
logfile = /var/log/pgbouncer.log
server_fast_close = 1
%include more.ini
`
const USERLIST = `; users
"alice" "secret ""quoted"""
"bob" "other"
"hashed" "md5${'0'.repeat(32)}"
"empty" ""
`

describe('reading', () => {
  it('pairs, with quotes', () => {
    expect([...readPairs("host=a  password='it''s a = b' dbname = x", 'f:1')]).toEqual([
      ['host', 'a'],
      ['password', "it's a = b"],
      ['dbname', 'x'],
    ])
    expect(() => readPairs('host', 'f:1')).toThrow('f:1')
    expect(() => readPairs("password='open", 'f:1')).toThrow('f:1')
  })

  it('sections, quoted names, comments and included files', () => {
    const files: Record<string, string> = {
      a: '[one]\nx = 1\n%include b\ny = 2 ; not a comment\n# comment\n"a = ""b""" = 3',
      b: 'z = 4\n[two]\n',
    }
    const entries = readIni('a', name => files[name] ?? '')
    expect(entries).toEqual([
      { section: 'one', name: 'x', value: '1', at: 'a:2' },
      { section: 'one', name: 'z', value: '4', at: 'b:1' },
      { section: 'two', name: 'y', value: '2 ; not a comment', at: 'a:4' },
      { section: 'two', name: 'a = "b"', value: '3', at: 'a:6' },
    ])
    expect(() => readIni('a', () => '%include a')).toThrow('too deeply')
    expect(() => readIni('a', () => 'nonsense')).toThrow('a:1')
  })

  it('the userlist', () => {
    expect(readUserlist(USERLIST, 'u').map(user => [user.name, user.secret, user.at])).toEqual([
      ['alice', 'secret "quoted"', 'u:2'],
      ['bob', 'other', 'u:3'],
      ['hashed', `md5${'0'.repeat(32)}`, 'u:4'],
      ['empty', '', 'u:5'],
    ])
    expect(() => readUserlist('alice secret', 'u')).toThrow('u:1')
  })
})

describe('import-pgbouncer', () => {
  let folder: string
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shardway-import-'))
  })
  afterEach(() => {
    vi.restoreAllMocks()
    rmSync(folder, { recursive: true, force: true })
  })

  it('gives what the loader takes, and means the same', () => {
    write('userlist.txt', USERLIST)
    write('more.ini', 'max_user_client_connections = 11\nserver_tls_sslmode = require\n')
    const { toml } = importPgbouncer(write('pgbouncer.ini', INI))
    const config = parseConfig(toml, folder, {})
    expect(config.listen).toMatchObject({ host: '0.0.0.0', port: 6543 })
    expect(config.server.tls.mode).toBe('require')
    expect(config.pool).toMatchObject({
      mode: 'transaction',
      max_client_conn: 500,
      default_pool_size: 25,
      query_wait_timeout: 30_000,
      idle_transaction_timeout: 500,
      server_check_query: 'select 1',
      max_user_client_connections: 11,
    })
    expect(config.users.map(user => [user.name, user.password, user.admin, user.stats])).toEqual([
      ['alice', ['secret "quoted"'], true, false],
      ['bob', ['other'], false, true],
    ])
    expect(config.users[0]?.pool).toEqual({ mode: 'session', max_user_connections: 4, query_timeout: 2500 })
    expect(config.databases.map(database => database.name)).toEqual(['app', 'odd "name"'])
    expect(config.databases[0]).toMatchObject({
      server_user: 'owner',
      server_password: "it's",
      pool: { mode: 'statement', default_pool_size: 7, min_pool_size: 2 },
      shards: [{ name: 's0', nodes: ['10.0.0.1:6000'], dbname: 'app_db' }],
    })
    expect(config.databases[1]).toMatchObject({
      pool: { max_db_connections: 9, server_lifetime: 60_000 },
      shards: [{ nodes: ['10.0.0.2:5432', '10.0.0.3:5432'], dbname: 'odd "name"' }],
    })
  })

  it('says what has no equivalent, and where', () => {
    write('userlist.txt', USERLIST)
    write('more.ini', '')
    const { notes } = importPgbouncer(write('pgbouncer.ini', INI))
    const about = notes.map(note => note.setting)
    for (const setting of [
      '[databases] *',
      '[databases] odd "name" connect_query',
      '[users] ghost',
      'admin_users',
      'ignore_startup_parameters',
      'logfile',
      'server_fast_close',
      'user "hashed"',
      'user "empty"',
    ]) {
      expect(about).toContain(setting)
    }
    expect(notes.find(note => note.setting === 'logfile')?.at).toMatch(/pgbouncer\.ini:\d+$/)
    expect(JSON.stringify(notes)).not.toContain('secret')
  })

  it('what PgBouncer takes when nothing is said is said', () => {
    const { toml } = importPgbouncer(write('p.ini', '[databases]\na = host=h user=u password=p\n[pgbouncer]\n'))
    expect(parse(toml)['pool']).toMatchObject({ mode: 'session', max_client_conn: 100 })
  })

  it('users of whom only a verifier is known', () => {
    const { salt, iterations, storedKey, serverKey } = makeVerifier('pw', 4096, Buffer.alloc(16, 1))
    const verifier = `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`
    write('users', `"v" "${verifier}"`)
    const ini =
      '[databases]\na = host=h\nb = host=h user=u password=p\n[pgbouncer]\nauth_type=scram-sha-256\nauth_file=users\n'
    const { toml } = importPgbouncer(write('p.ini', ini))
    expect(parseConfig(toml, folder, {}).users[0]?.password).toEqual([verifier])
  })

  it('a database is needed', () => {
    expect(() => importPgbouncer(write('p.ini', '[databases]\n* = host=h\n'))).toThrow('[databases]')
    expect(() => importPgbouncer(write('p.ini', '[pgbouncer]\nlisten_port = x\n'))).toThrow('p.ini:2')
    expect(() => importPgbouncer(join(folder, 'none.ini'))).toThrow('no such file')
  })

  it('writes a new file that only its owner may read, and never over another', () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const ini = write('p.ini', '[databases]\na = host=h user=u password=p\n[pgbouncer]\nlogfile = x\n')
    const output = join(folder, 'out.toml')
    runImport(ini, { output, json: true })
    expect(statSync(output).mode & 0o777).toBe(0o600)
    expect(stdout).not.toHaveBeenCalled()
    const notes = JSON.parse(String(stderr.mock.calls[0]?.[0])) as Array<{ setting: string }>
    expect(notes.some(note => note.setting === 'logfile')).toBe(true)
    expect(() => runImport(ini, { output })).toThrow('is there already')
  })
})
