/**
 * Who does not exist costs the same work as who does: the time that a login takes would tell otherwise. What is counted is
 * every derivation and every comparison in constant time, since a clock would only tell how busy the machine is.
 */
import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Authentication } from '../../../src/auth/authentication.ts'
import type { Exchange } from '../../../src/auth/exchange.ts'
import type { UserQuery } from '../../../src/auth/user-query.ts'
import type { UserConfig } from '../../../src/config/schema.ts'
import { isSecret } from '../../../src/process/cancel-keys.ts'
import { md5Password } from '../../../src/protocol/md5.ts'
import { ScramClient } from '../../../src/protocol/scram-client.ts'
import { formatVerifier, makeVerifier } from '../../../src/protocol/scram-verifier.ts'

const counts = vi.hoisted(() => ({ derivations: [] as number[], comparisons: 0 }))

vi.mock('node:crypto', async importOriginal => {
  const real = await importOriginal<typeof import('node:crypto')>()
  return {
    ...real,
    pbkdf2: ((...args: Parameters<typeof real.pbkdf2>) => {
      counts.derivations.push(args[2])
      real.pbkdf2(...args)
    }) as typeof real.pbkdf2,
    pbkdf2Sync: ((...args: Parameters<typeof real.pbkdf2Sync>) => {
      counts.derivations.push(args[2])
      return real.pbkdf2Sync(...args)
    }) as typeof real.pbkdf2Sync,
    timingSafeEqual: ((left: NodeJS.ArrayBufferView, right: NodeJS.ArrayBufferView) => {
      counts.comparisons++
      return real.timingSafeEqual(left, right)
    }) as typeof real.timingSafeEqual,
  }
})

const md5 = (password: string, user: string) =>
  `md5${createHash('md5')
    .update(password + user)
    .digest('hex')}`
const verifier = formatVerifier(makeVerifier('right', 5000))

const user = (name: string, ...password: string[]): UserConfig => ({
  name,
  password,
  admin: false,
  stats: false,
  max_statements_per_second: 0,
  max_concurrent_statements: 0,
})

/** [auth] query as far as an Authentication knows it. */
const queryOf = (secrets: Readonly<Record<string, string>>): UserQuery =>
  ({
    find: (_database: string, name: string) => Promise.resolve(secrets[name] ?? null),
    forget: () => undefined,
    close: () => undefined,
  }) as unknown as UserQuery

const METHODS = ['scram-sha-256', 'md5', 'plain'] as const
type Method = (typeof METHODS)[number]

function authentication(method: Method, users: UserConfig[], query: UserQuery | null = null): Authentication {
  return new Authentication({
    config: { auth: { method, query: query === null ? '' : 'default' }, users },
    hba: null,
    seed: Buffer.from('of this test'),
    query,
  })
}

const initial = (first: Buffer): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(first.length)
  return Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, first])
}

/** Answers as a client with this password would; the client's own work is not counted. */
async function answers(exchange: Exchange, name: string, password: string): Promise<string> {
  const kind = exchange.request.readInt32BE(5)
  if (kind === 3) return (await exchange.answer(Buffer.from(`${password}\0`))).verdict
  if (kind === 5) {
    return (await exchange.answer(Buffer.from(`${md5Password(name, password, exchange.request.subarray(9))}\0`)))
      .verdict
  }
  const scram = new ScramClient(password)
  const { reply } = await exchange.answer(initial(scram.first()))
  const before = { ...counts, derivations: [...counts.derivations] }
  const last = scram.next(reply!.subarray(9))
  Object.assign(counts, before)
  return (await exchange.answer(last)).verdict
}

interface Work {
  readonly verdict: string
  readonly kind: number
  readonly derivations: readonly number[]
  readonly comparisons: number
}

async function work(from: Authentication, method: Method, name: string, password: string): Promise<Work> {
  counts.derivations = []
  counts.comparisons = 0
  const account = await from.account(name, 'app')
  const exchange = from.exchange(method, account, null)
  const kind = exchange.request.readInt32BE(5)
  const verdict = await answers(exchange, name, password)
  return { verdict, kind, derivations: [...counts.derivations], comparisons: counts.comparisons }
}

beforeEach(() => {
  counts.derivations = []
  counts.comparisons = 0
})

describe.each(METHODS)('method %s', method => {
  it.each([
    ['a plain password', 'right'],
    ['a verifier', verifier],
    ['an md5 hash', md5('right', 'known')],
  ])('a listed user with %s, and nobody', async (_, secret) => {
    const from = authentication(method, [user('known', secret)])
    await from.users.warm()
    const wrong = await work(from, method, 'known', 'wrong')
    const unknown = await work(from, method, 'nobody', 'wrong')
    expect(wrong.verdict).toBe('wrong')
    // An md5 hash is compared besides, in clear text: a comparison of 32 bytes beside thousands of rounds.
    if (method === 'plain' && secret.startsWith('md5')) expect(unknown.derivations).toEqual(wrong.derivations)
    else expect(unknown).toEqual(wrong)
    expect(unknown.comparisons).toBeGreaterThan(0)
    if (method === 'plain') expect(unknown.derivations).toEqual([secret === verifier ? 5000 : 4096])
    else expect(unknown.derivations).toEqual([])
  })

  it.each([
    ['a plain password', 'right'],
    ['a verifier', verifier],
  ])('a user of the servers with %s, and nobody', async (_, secret) => {
    const from = authentication(method, [], queryOf({ known: secret }))
    // The first one found teaches what the servers keep; strangers are like it from then on.
    await work(from, method, 'known', 'wrong')
    const wrong = await work(from, method, 'known', 'wrong')
    const unknown = await work(from, method, 'nobody', 'wrong')
    expect(wrong.verdict).toBe('wrong')
    expect(unknown).toEqual(wrong)
  })

  it('a right password costs what a wrong one does, whichever of several it is', async () => {
    const from = authentication(method, [user('known', 'first', 'second', 'third')])
    await from.users.warm()
    const wrong = await work(from, method, 'known', 'wrong')
    const nearly = await work(from, method, 'known', 'thirD')
    expect(nearly).toEqual(wrong)
    for (const password of ['first', 'second', 'third']) {
      expect(await work(from, method, 'known', password)).toEqual({ ...wrong, verdict: 'right' })
    }
    expect(wrong.comparisons).toBeGreaterThanOrEqual(3)
  })
})

it('cancel keys are compared in constant time', () => {
  const key = Buffer.from('0123456789abcdef')
  for (const [given, right] of [
    ['0123456789abcdef', true],
    ['x123456789abcdef', false],
    ['0123456789abcdex', false],
  ] as const) {
    counts.comparisons = 0
    expect(isSecret(Buffer.from(given), key)).toBe(right)
    expect(counts.comparisons).toBe(1)
  }
  expect(isSecret(Buffer.from('0123'), key)).toBe(false)
  expect(isSecret(Buffer.alloc(0), key)).toBe(false)
})
