import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Account } from '../../../src/auth/account.ts'
import { Users } from '../../../src/auth/users.ts'
import { formatVerifier, makeVerifier } from '../../../src/protocol/scram-verifier.ts'

const seed = Buffer.from('seed of this test')
const md5 = (password: string, name: string) =>
  createHash('md5')
    .update(password + name)
    .digest('hex')
const account = (...passwords: string[]) => new Account({ name: 'app', passwords, seed })

describe('Account', () => {
  it('a password in clear text is held against all kinds of secrets', async () => {
    const [one, two] = [formatVerifier(makeVerifier('one')), formatVerifier(makeVerifier('two', 5000))]
    const mixed = account(one, two, `md5${md5('three', 'app')}`, 'four')
    for (const password of ['one', 'two', 'three', 'four']) expect(await mixed.isPassword(password)).toBe(true)
    for (const password of ['', 'five', one, `md5${md5('three', 'app')}`, 'One', 'four ']) {
      expect(await mixed.isPassword(password)).toBe(false)
    }
    expect(await account('').isPassword('')).toBe(false)
    expect(await account().isPassword('')).toBe(false)
    // An md5 hash made for another name is none of this one.
    expect(await account(`md5${md5('three', 'other')}`).isPassword('three')).toBe(false)
  })

  it('digests are those of plain passwords and hashes, and never none', () => {
    expect(account('four', `md5${md5('three', 'app')}`).digests).toEqual([md5('three', 'app'), md5('four', 'app')])
    const [none, again] = [account().digests, account().digests]
    expect(none).toEqual(again)
    expect(none[0]).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('who does not exist', () => {
  const user = (name: string, ...password: string[]) => ({
    name,
    password,
    admin: false,
    stats: false,
    max_statements_per_second: 0,
    max_concurrent_statements: 0,
  })

  it('shows as many iterations as the listed verifiers, and so do plain passwords', () => {
    const users = new Users({ users: [user('a', formatVerifier(makeVerifier('x', 10_000))), user('b', 'y')] }, seed)
    for (const name of ['a', 'b', 'nobody']) expect(users.verifiersOf(name)[0]?.iterations).toBe(10_000)
    expect(new Users({ users: [user('b', 'y')] }, seed).verifiersOf('nobody')[0]?.iterations).toBe(4096)
  })
})
