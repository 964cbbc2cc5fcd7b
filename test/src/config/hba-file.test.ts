import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseHba, readHbaFile } from '../../../src/config/hba-file.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardway-hba-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const name = (text: string) => ({ kind: 'name', name: text })
const all = { kind: 'all', name: '' }

describe('rules', () => {
  it('are read as Postgres reads them', () => {
    const { rules, problems } = parseHba(
      `# a comment
local   all             all                                     peer
local   replication     all                                     peer
host    replication     all             127.0.0.1/32            ident
host    all             all             127.0.0.1/32            scram-sha-256 # behind a rule
hostssl app,shop        alice, bob      10.1.2.3  255.255.0.0   cert
host\tsameuser\t"all","with ""quotes"""\t::1/128\tmd5
hostnossl all all fe80:: ffff:ffff:ffff:ffff:: \\
   password
host "app" all all reject
host all all 0.0.0.0/0 trust
`,
      folder,
    )
    expect(problems).toEqual([])
    expect(rules).toEqual([
      {
        line: 5,
        type: 'host',
        databases: [all],
        users: [all],
        network: { address: '127.0.0.1', bits: 32 },
        method: 'scram-sha-256',
      },
      {
        line: 6,
        type: 'hostssl',
        databases: [name('app'), name('shop')],
        users: [name('alice'), name('bob')],
        network: { address: '10.1.2.3', bits: 16 },
        method: 'cert',
      },
      {
        line: 7,
        type: 'host',
        databases: [{ kind: 'sameuser', name: '' }],
        users: [name('all'), name('with "quotes"')],
        network: { address: '::1', bits: 128 },
        method: 'md5',
      },
      {
        line: 8,
        type: 'hostnossl',
        databases: [all],
        users: [all],
        network: { address: 'fe80::', bits: 64 },
        method: 'password',
      },
      { line: 10, type: 'host', databases: [name('app')], users: [all], network: null, method: 'reject' },
      {
        line: 11,
        type: 'host',
        databases: [all],
        users: [all],
        network: { address: '0.0.0.0', bits: 0 },
        method: 'trust',
      },
    ])
  })

  it('take names from files beside theirs, which may name others', () => {
    writeFileSync(join(folder, 'users'), 'alice, bob\n"carol" # her too\n@more\n')
    writeFileSync(join(folder, 'more'), 'dave\n')
    writeFileSync(join(folder, 'circle'), '@circle\n')
    writeFileSync(join(folder, 'pg_hba.conf'), 'host app @users all md5\n')
    const { rules, problems } = readHbaFile(join(folder, 'pg_hba.conf'))
    expect(problems).toEqual([])
    expect(rules[0]?.users.map(user => user.name)).toEqual(['alice', 'bob', 'carol', 'dave'])
    expect(parseHba('host @gone all all md5', folder).problems).toEqual([
      'line 1: "@gone" cannot be read (no such file)',
    ])
    expect(parseHba('host @circle all all md5', folder).problems[0]).toContain('nested')
  })

  it('with mistakes are named, all at once, and none is used silently', () => {
    const wrong: ReadonlyArray<readonly [string, string]> = [
      [
        'hostgssenc all all all md5',
        'connection type "hostgssenc" is not supported, allowed: local, host, hostssl, hostnossl',
      ],
      ['include other.conf', 'connection type "include" is not supported'],
      ['host', 'the database is missing'],
      ['host all', 'the user is missing'],
      ['host all all', 'the address is missing'],
      ['host all all all', 'the method is missing, allowed: trust, reject'],
      ['host all all all peer', 'method "peer" is not supported'],
      ['host all all all ldap ldapserver=x', 'method "ldap" is not supported'],
      ['host all all all md5 map=m', 'found option "map=m", options are not supported'],
      ['hostssl all all all trust clientcert=verify-ca', 'found option "clientcert=verify-ca"'],
      ['host all all all cert', 'method cert is for hostssl lines only'],
      ['host all +admins all md5', 'found "+admins", groups are not supported'],
      ['host samerole all all md5', 'database "samerole" is not supported'],
      ['host /^app all all md5', 'found "/^app", regular expressions are not supported'],
      ['host all all samehost md5', 'address "samehost" is not supported'],
      ['host all all samenet md5', 'address "samenet" is not supported'],
      ['host all all db.example.com md5', 'address "db.example.com" is not supported'],
      ['host all all 10.0.0.0/33 md5', 'address "10.0.0.0/33": the bits of the network are not between 0 and 32'],
      ['host all all 10.0.0.0 md5', 'address "10.0.0.0": neither /BITS nor a mask follows it'],
      ['host all all 10.0.0.0 255.0.255.0 md5', 'mask "255.0.255.0" has holes'],
      ['host all "all all md5', 'a quote is not closed'],
    ]
    const { rules, problems } = parseHba(wrong.map(([line]) => line).join('\n'), folder)
    expect(rules).toEqual([])
    expect(problems).toHaveLength(wrong.length)
    for (const [i, [, expected]] of wrong.entries()) expect(problems[i]).toContain(`line ${i + 1}: ${expected}`)
  })
})
