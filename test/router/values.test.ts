import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BinaryArrayReader, ELEMENT, END, TextArrayReader, UNREADABLE } from '../../router/arrays.ts'
import {
  INVALID,
  OK,
  UNSURE,
  canonicalInt,
  canonicalText,
  canonicalUuid,
  endOfVarchar,
  int64,
  parseInt64,
} from '../../router/values.ts'

function outcome(text: string, negate = false): number {
  const bytes = Buffer.from(text)
  return parseInt64(bytes, 0, bytes.length, negate)
}

describe('integers', () => {
  test.each([
    ['0', '0'],
    ['-0', '0'],
    ['+7', '7'],
    ['  42\t\n', '42'],
    ['007', '7'],
    ['999999999', '999999999'],
    ['1000000000', '1000000000'],
    ['4294967296', '4294967296'],
    ['-4294967296', '-4294967296'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['00000000000000000000009223372036854775807', '9223372036854775807'],
  ])('%j is %s', (text, value) => expect(canonicalInt(text)).toBe(value))

  test.each([
    '',
    ' ',
    '-',
    '+-1',
    '1 2',
    '1.0',
    '1e3',
    'abc',
    '- 1',
    '9223372036854775808',
    '-9223372036854775809',
    '1'.repeat(40),
  ])('%j is no integer', text => expect(outcome(text)).toBe(INVALID))

  test.each(['0x2A', '0o17', '0b11', '4_2', '0XfF', '9223372036854775808_0'])('%j is left to a server', text =>
    expect(outcome(text)).toBe(UNSURE),
  )

  test('a minus outside turns the sign', () => {
    expect(outcome('9223372036854775808', true)).toBe(OK)
    expect([int64.hi, int64.lo]).toEqual([-0x80000000, 0])
    expect(outcome('-5', true)).toBe(OK)
    expect([int64.hi, int64.lo]).toEqual([0, 5])
    expect(outcome('-9223372036854775808', true)).toBe(INVALID)
  })

  test('every int8 comes back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), value => {
        expect(outcome(String(value))).toBe(OK)
        expect((BigInt(int64.hi) << 32n) | BigInt(int64.lo >>> 0)).toBe(value)
      }),
    )
  })
})

describe('uuids', () => {
  const plain = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
  test.each([
    plain,
    plain.toUpperCase(),
    `{${plain}}`,
    'a0eebc999c0b4ef8bb6d6bb9bd380a11',
    'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11',
    '{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}',
  ])('%j is understood', text => expect(canonicalUuid(text)).toBe(plain))

  test.each([
    '',
    plain.slice(1),
    `${plain}0`,
    ` ${plain}`,
    `{${plain}`,
    `${plain}}`,
    `${plain}-`,
    'a0e-ebc999c0b4ef8bb6d6bb9bd380a11',
  ])('%j is refused', text => expect(canonicalUuid(text)).toBe(null))
})

describe('varchar(n)', () => {
  test.each([
    ['ab   ', 2, 'ab'],
    ['ab   ', 3, 'ab '],
    ['ab', 2, 'ab'],
    ['äö  ', 2, 'äö'],
    ['🙂🙂 ', 2, '🙂🙂'],
    ['abc', 2, 'abc'],
    ['ab c ', 2, 'ab c '],
    ['ab   ', 0, 'ab   '],
  ])('%j at %i is %j', (text, maxChars, stored) => {
    expect(canonicalText(text, maxChars)).toBe(stored)
    const bytes = Buffer.from(`x${text}x`)
    const end = endOfVarchar(bytes, 1, bytes.length - 1, maxChars)
    expect(bytes.toString('utf8', 1, end)).toBe(stored)
  })
})

function textElements(text: string): (string | null)[] | null {
  const reader = new TextArrayReader()
  const bytes = Buffer.from(text)
  if (!reader.open(bytes, 0, bytes.length)) return null
  const elements: (string | null)[] = []
  for (;;) {
    const next = reader.next()
    if (next === END) return elements
    if (next === UNREADABLE) return null
    expect(next).toBe(ELEMENT)
    elements.push(reader.isNull ? null : Buffer.from(reader.bytes).toString('utf8', reader.start, reader.end))
  }
}

describe('arrays in text format', () => {
  test.each<[string, (string | null)[]]>([
    ['{}', []],
    [' { } ', []],
    ['{1,2}', ['1', '2']],
    ['{ 1 , 2 }', ['1', '2']],
    ['{1,"a b",NULL,null,"NULL"}', ['1', 'a b', null, null, 'NULL']],
    [String.raw`{"a\"b","c\\d",e\,f,\N\U\L\L}`, ['a"b', String.raw`c\d`, 'e,f', 'NULL']],
    ['{"",a  b}', ['', 'a  b']],
    ['{äö,"漢"}', ['äö', '漢']],
  ])('%s', (text, elements) => expect(textElements(text)).toEqual(elements))

  test.each(['', '1', '{', '{1', '{1,}', '{,1}', '{1}x', '{{1},{2}}', '[1:2]={1,2}', '{"a"b}', '{"a', '{a"b"}'])(
    '%j is not read',
    text => expect(textElements(text)).toBe(null),
  )
})

function binaryArray(elementType: number, elements: readonly (Buffer | null)[]): Buffer {
  const head = Buffer.alloc(elements.length === 0 ? 12 : 20)
  head.writeInt32BE(elements.length === 0 ? 0 : 1, 0)
  head.writeUInt32BE(elementType, 8)
  if (elements.length > 0) head.writeInt32BE(elements.length, 12)
  if (elements.length > 0) head.writeInt32BE(1, 16)
  const parts = elements.flatMap(element => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(element === null ? -1 : element.length)
    return element === null ? [length] : [length, element]
  })
  return Buffer.concat([head, ...parts])
}

describe('arrays in binary format', () => {
  test('elements and nulls', () => {
    const reader = new BinaryArrayReader()
    const bytes = binaryArray(25, [Buffer.from('one'), null, Buffer.alloc(0)])
    expect(reader.open(bytes, 0, bytes.length)).toBe(true)
    expect(reader.elementType).toBe(25)
    expect(reader.next()).toBe(ELEMENT)
    expect(bytes.toString('utf8', reader.start, reader.end)).toBe('one')
    expect(reader.next()).toBe(ELEMENT)
    expect(reader.isNull).toBe(true)
    expect(reader.next()).toBe(ELEMENT)
    expect([reader.isNull, reader.end - reader.start]).toEqual([false, 0])
    expect(reader.next()).toBe(END)
  })

  test('an empty one', () => {
    const reader = new BinaryArrayReader()
    const bytes = binaryArray(20, [])
    expect(reader.open(bytes, 0, bytes.length)).toBe(true)
    expect(reader.next()).toBe(END)
  })

  test('cut off anywhere it is not read', () => {
    const whole = binaryArray(20, [Buffer.alloc(8), Buffer.alloc(8)])
    for (let end = 0; end < whole.length; end++) {
      const reader = new BinaryArrayReader()
      let last: number = reader.open(whole, 0, end) ? ELEMENT : UNREADABLE
      while (last === ELEMENT) last = reader.next()
      expect(last).toBe(UNREADABLE)
    }
  })
})
