import { describe, expect, it } from 'vitest'
import { Users } from '../../../src/auth/users.ts'
import type { Config, UserConfig } from '../../../src/config/schema.ts'
import { ScramClient } from '../../../src/protocol/scram-client.ts'
import { ScramServer } from '../../../src/protocol/scram-server.ts'
import { formatVerifier, makeVerifier } from '../../../src/protocol/scram-verifier.ts'

function config(...users: Array<Partial<UserConfig> & { name: string }>): Pick<Config, 'users'> {
  return {
    users: users.map(user => ({
      password: [],
      admin: false,
      stats: false,
      max_statements_per_second: 0,
      max_concurrent_statements: 0,
      ...user,
    })),
  }
}

function lets(users: Users, name: string, password: string): boolean {
  const server = new ScramServer(users.verifiersOf(name))
  const client = new ScramClient(password)
  return server.final(client.next(server.first(client.first()))) !== null
}

describe('Users', () => {
  it('plain passwords and verifiers, one or several, also mixed', () => {
    const stored = formatVerifier(makeVerifier('stored', 5000))
    const users = new Users(
      config(
        { name: 'plain', password: ['one', 'two'] },
        { name: 'stored', password: [stored] },
        { name: 'mixed', password: ['one', stored] },
        { name: 'none' },
        { name: 'empty', password: [''] },
      ),
    )
    for (const password of ['one', 'two']) expect(lets(users, 'plain', password)).toBe(true)
    expect(lets(users, 'plain', 'three')).toBe(false)
    expect(lets(users, 'stored', 'stored')).toBe(true)
    expect(lets(users, 'stored', stored)).toBe(false)
    for (const password of ['one', 'stored']) expect(lets(users, 'mixed', password)).toBe(true)
    for (const name of ['none', 'empty', 'unknown']) expect(lets(users, name, '')).toBe(false)
    expect(users.plainPassword('plain')).toBe('one')
    expect(users.plainPassword('stored')).toBeNull()
    expect(users.plainPassword('unknown')).toBeNull()
    expect(users.warnings('scram-sha-256')).toEqual([])
  })

  it('only the first of several verifiers with different salts works, which is said', () => {
    const [first, second] = ['first', 'second'].map(password => formatVerifier(makeVerifier(password)))
    const users = new Users(config({ name: 'app', password: [first ?? '', second ?? ''] }))
    expect(lets(users, 'app', 'first')).toBe(true)
    expect(lets(users, 'app', 'second')).toBe(false)
    expect(users.warnings('md5')).toHaveLength(1)
    expect(users.warnings('md5')[0]).not.toContain('SCRAM-SHA-256$')
  })

  it('an md5 hash is no SCRAM password, which is said', () => {
    const users = new Users(config({ name: 'app', password: [`md5${'0'.repeat(32)}`] }))
    expect(users.warnings('scram-sha-256')).toEqual([
      'user "app": an md5 hash cannot answer for method "scram-sha-256"',
    ])
    expect(users.warnings('md5')).toEqual([])
  })

  it('derives once, ahead or at the first login', async () => {
    const users = new Users(config({ name: 'app', password: ['secret'] }, { name: 'other', password: ['secret'] }))
    const first = users.verifiersOf('app')
    expect(users.verifiersOf('app')).toBe(first)
    await users.warm()
    expect(users.verifiersOf('app')).toBe(first)
    expect(lets(users, 'other', 'secret')).toBe(true)
  })

  it('an unknown user looks like a known one', () => {
    const seed = Buffer.from('shared by all workers')
    const [one, two] = [new Users(config({ name: 'app', password: ['secret'] }), seed), new Users(config(), seed)]
    const [known, unknown] = [one.verifiersOf('app'), two.verifiersOf('app')]
    expect(unknown).toHaveLength(1)
    expect(unknown[0]?.salt).toEqual(known[0]?.salt)
    expect(unknown[0]?.iterations).toBe(known[0]?.iterations)
    expect(unknown[0]?.storedKey).not.toEqual(known[0]?.storedKey)
    expect(two.verifiersOf('app')).toEqual(unknown)
  })

  it('rights', () => {
    const users = new Users(
      config(
        { name: 'app', databases: ['app'] },
        { name: 'dba', admin: true, databases: [] },
        { name: 'monitor', stats: true },
      ),
    )
    expect(users.mayEnter('app', 'app')).toBe(true)
    expect(users.mayEnter('app', 'other')).toBe(false)
    expect(users.mayEnter('monitor', 'other')).toBe(true)
    expect(users.mayEnter('unknown', 'app')).toBe(false)
    for (const console of ['shardway', 'pgbouncer']) {
      expect(users.mayEnter('app', console)).toBe(false)
      expect(users.mayEnter('dba', console)).toBe(true)
      expect(users.mayEnter('monitor', console)).toBe(true)
    }
    expect([users.isAdmin('dba'), users.isAdmin('monitor'), users.isAdmin('unknown')]).toEqual([true, false, false])
    expect([users.isStats('dba'), users.isStats('monitor'), users.isStats('unknown')]).toEqual([false, true, false])
  })
})
