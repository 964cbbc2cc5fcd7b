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
    const unread: string[] = []
    const read = (text: string) => readUserlist(text, 'u', at => void unread.push(at))
    expect(read(USERLIST).map(user => [user.name, user.secret, user.at])).toEqual([
      ['alice', 'secret "quoted"', 'u:2'],
      ['bob', 'other', 'u:3'],
      ['hashed', `md5${'0'.repeat(32)}`, 'u:4'],
      ['empty', '', 'u:5'],
    ])
    expect(unread).toEqual([])
    expect(read('alice secret\n"bob" "other"').map(user => user.name)).toEqual(['bob'])
    expect(unread).toEqual(['u:1'])
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

  const MD5 = `md5${'0'.repeat(32)}`
  const imported = (ini: string, userlist = '') => {
    write('users', userlist)
    const { toml, notes } = importPgbouncer(write('p.ini', ini))
    const about = notes.map(({ setting, at, note }) => `${at.replace(/^.*\//, '')} ${setting}: ${note}`)
    return { config: parseConfig(toml, folder, {}), notes: about }
  }

  it('a line of the userlist that cannot be read is a note, without its words', () => {
    const { config, notes } = imported(
      '[databases]\na = host=h user=u password=p\n[pgbouncer]\nauth_file = users\n',
      '"alice" "secret"\nbob other-secret\n"carol" "third"\n',
    )
    expect(config.users.map(user => user.name)).toEqual(['alice', 'carol'])
    expect(notes).toContain('users:2 auth_file: not of the form "user" "password": left out')
    expect(notes.join()).not.toContain('other-secret')
  })

  it('md5 hashes are taken where the method can use them', () => {
    const ini = (type: string) => `[databases]\na = host=h user=u password=p\n[pgbouncer]\n${type}\nauth_file = users\n`
    const userlist = `"alice" "secret"\n"hashed" "${MD5}"\n`
    for (const type of ['', 'auth_type = md5', 'auth_type = plain']) {
      const { config, notes } = imported(ini(type), userlist)
      expect(config.users.map(user => user.password)).toEqual([['secret'], [MD5]])
      expect(notes.join()).not.toContain('hashed')
    }
    // The second: hba without a file falls back to SCRAM.
    for (const type of ['auth_type = scram-sha-256', 'auth_type = hba']) {
      const { config, notes } = imported(ini(type), userlist)
      expect(config.users.map(user => user.name)).toEqual(['alice'])
      expect(notes.join()).toContain('user "hashed": an md5 hash needs [auth] method = "md5"')
    }
  })

  it('hba rules go on', () => {
    const ini = '[databases]\na = host=h user=u\n[pgbouncer]\nauth_type = hba\nauth_hba_file = rules\n'
    expect(imported(ini).config.auth).toMatchObject({ method: 'hba', hba_file: join(folder, 'rules') })
  })

  it('auth_query and auth_user become [auth] query and control_user', () => {
    const databases =
      '[databases]\na = host=h\nb = host=h user=u password=p auth_user=other\n[pgbouncer]\nauth_file = users\n'
    const userlist = `"looker" "looks"\n"other" "${MD5}"\n`
    const { config, notes } = imported(`${databases}auth_user = looker\n`, userlist)
    expect(config.auth.query).toBe('default')
    expect(config.databases[0]).toMatchObject({ control_user: 'looker', control_password: 'looks' })
    expect(config.databases[1]).toMatchObject({ server_user: 'u', control_user: 'other', control_password: '' })
    expect(notes.join('\n')).toContain('[databases] b auth_user: add control_password')
    expect(notes.join('\n')).not.toContain('list the users')

    const theirs = 'SELECT uname, phash FROM auth.lookup($1)'
    const custom = imported(`${databases}auth_user = looker\nauth_query = ${theirs}\n`, userlist)
    expect(custom.config.auth.query).toBe(theirs)
    expect(custom.notes.join('\n')).toContain('auth_query: runs as control_user with search_path = pg_catalog')
    const old = imported(
      `${databases}auth_user = looker\nauth_query = SELECT usename, passwd FROM pg_shadow WHERE usename=$1\n`,
      userlist,
    )
    expect(old.config.auth.query).toBe('default')
    // For one database there, for all here.
    const one = imported(databases, userlist)
    expect(one.config.auth.query).toBe('default')
    expect(one.notes.join('\n')).toContain('[databases] b auth_user: [auth] query looks users up for every database')
    expect(imported('[databases]\na = host=h\n[pgbouncer]\nauth_query = x\n').config.auth.query).toBe('')
  })

  it('an address for all is said to be IPv4', () => {
    const { config, notes } = imported('[databases]\na = host=h user=u\n[pgbouncer]\nlisten_addr = *\n')
    expect(config.listen.host).toBe('0.0.0.0')
    expect(notes).toContain('p.ini:4 listen_addr: * becomes 0.0.0.0: every IPv4 address, no IPv6')
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
