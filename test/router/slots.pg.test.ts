import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import type { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashBytes, hashInt } from '../../router/hash.ts'
import { slotOfBytes, slotOfInt, slotOfIntText, slotOfNumber, slotOfUuid, slotOfUuidText } from '../../router/slots.ts'
import { type Oracle, openOracle } from '../support/oracle.ts'

const COUNT = 100_000
const SEED = '8816678312871386365'

let oracle: Oracle
let client: Client

beforeAll(async () => {
  oracle = await openOracle()
  client = await oracle.connect()
})
afterAll(() => oracle.close())

function halves(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value))]
}

/** Integers of any length, so that each digit count and both halves are seen. */
function randomIntegers(bits: number, extremes: readonly bigint[]): bigint[] {
  const values = [...extremes]
  while (values.length < COUNT) {
    const shift = BigInt(randomInt(0, bits))
    values.push(BigInt.asIntN(bits, randomBytes(8).readBigInt64BE()) >> shift)
  }
  return values
}

async function serverSlots(
  type: string,
  hash: string,
  values: readonly string[],
): Promise<{ slot: number; low: number }[]> {
  const { rows } = await client.query(
    `select ((${hash}(k, ${SEED}) & 16383) + 10467) & 16383 as slot, ${hash}(k, ${SEED}) & 4294967295 as low
     from unnest($1::${type}[]) with ordinality as t(k, n) order by n`,
    [values],
  )
  return rows.map(row => ({ slot: Number(row.slot), low: Number(row.low) | 0 }))
}

const INTEGERS: readonly [string, number, string][] = [
  ['int2', 16, 'hashint2extended'],
  ['int4', 32, 'hashint4extended'],
  ['int8', 64, 'hashint8extended'],
]

test.each(INTEGERS)('%s: slots are the server’s', async (type, bits, hash) => {
  const top = 1n << BigInt(bits - 1)
  const edges = [0n, 1n, -1n, top - 1n, -top, top - 2n, 1n - top]
  const wide = [
    2n ** 31n,
    -(2n ** 31n),
    2n ** 32n,
    -(2n ** 32n),
    2n ** 53n,
    -(2n ** 53n),
    2n ** 31n - 1n,
    2n ** 32n - 1n,
  ]
  const values = randomIntegers(bits, bits === 64 ? [...edges, ...wide] : edges)
  const expected = await serverSlots(type, hash, values.map(String))
  const wrong = values.filter((value, i) => {
    const [hi, lo] = halves(value)
    const text = Buffer.from(`${value}`)
    const slots = [slotOfInt(hi, lo), slotOfIntText(text, 0, text.length)]
    if (Number.isSafeInteger(Number(value))) slots.push(slotOfNumber(Number(value)))
    return hashInt(hi, lo) !== expected[i]?.low || slots.some(slot => slot !== expected[i]?.slot)
  })
  expect(wrong).toEqual([])
})

function randomText(): string {
  const alphabets = ['abcxyz 0123', 'äöüßéñ', '漢字かな한글', '🙂🚀𝒳', '\t\n\'"\\,{}'].map(letters =>
    Array.from(letters),
  )
  const length = randomInt(0, 4) === 0 ? randomInt(0, 200) : randomInt(0, 26)
  let text = ''
  for (let i = 0; i < length; i++) {
    const letters = alphabets[randomInt(0, alphabets.length)] ?? []
    text += letters[randomInt(0, letters.length)] ?? ''
  }
  return text
}

test.each(['text', 'varchar'])('%s: slots are the server’s', async type => {
  const values = ['', ' ', 'a', 'ab', '\u{10ffff}', 'x'.repeat(5000)]
  // Each length up to three blocks of lookup3, each twice.
  for (let length = 0; length <= 36; length++) values.push('q'.repeat(length), '\u00ff'.repeat(length))
  while (values.length < COUNT) values.push(randomText())
  const expected = await serverSlots(type, 'hashtextextended', values)
  const wrong = values.filter((value, i) => {
    const bytes = Buffer.from(`..${value}..`)
    const end = bytes.length - 2
    return hashBytes(bytes, 2, end) !== expected[i]?.low || slotOfBytes(bytes, 2, end) !== expected[i]?.slot
  })
  expect(wrong).toEqual([])
})

test('uuid: slots are the server’s', async () => {
  const values = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']
  while (values.length < COUNT) values.push(randomUUID())
  const expected = await serverSlots('uuid', 'uuid_hash_extended', values)
  const wrong = values.filter((value, i) => {
    const raw = Buffer.from(value.replaceAll('-', ''), 'hex')
    const text = Buffer.from(value)
    return slotOfUuid(raw, 0) !== expected[i]?.slot || slotOfUuidText(text, 0, text.length) !== expected[i]?.slot
  })
  expect(wrong).toEqual([])
})

test.each([
  ['int2', (): string => String(randomInt(-32768, 32768))],
  ['int4', (): string => String(randomInt(-(2 ** 31), 2 ** 31))],
  ['int8', (): string => String(randomBytes(8).readBigInt64BE())],
  ['text', randomText],
  ['varchar(300)', randomText],
  ['uuid', (): string => randomUUID()],
] as const)('%s: the slot is the remainder of a hash partition', async (type, make) => {
  const values = Array.from({ length: 3000 }, make)
  await client.query(`create table parts (id ${type}) partition by hash (id)`)
  try {
    const slots = values.map(value => {
      const bytes = Buffer.from(value)
      if (type === 'uuid') return slotOfUuidText(bytes, 0, bytes.length)
      return type.startsWith('int') ? slotOfIntText(bytes, 0, bytes.length) : slotOfBytes(bytes, 0, bytes.length)
    })
    const { rows } = await client.query(
      `select count(*)::int as wrong from unnest($1::${type}[], $2::int[]) as t(k, slot)
       where not satisfies_hash_partition('parts'::regclass, 16384, slot, k)`,
      [values, slots],
    )
    expect(rows[0].wrong).toBe(0)
  } finally {
    await client.query('drop table parts')
  }
})
