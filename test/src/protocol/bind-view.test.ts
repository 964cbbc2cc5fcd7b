import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ShardwayError } from '../../../src/errors/shardway-error.ts'
import { BindView } from '../../../src/protocol/bind-view.ts'

interface Bind {
  readonly portal: string
  readonly statement: string
  readonly formats: readonly number[]
  readonly values: readonly (Uint8Array | null)[]
  readonly resultFormats: readonly number[]
}

function int(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeIntBE(value, 0, bytes)
  return buffer
}

function body(bind: Bind): Buffer {
  return Buffer.concat([
    Buffer.from(`${bind.portal}\0${bind.statement}\0`),
    int(2, bind.formats.length),
    ...bind.formats.map(format => int(2, format)),
    int(2, bind.values.length),
    ...bind.values.flatMap(value => (value === null ? [int(4, -1)] : [int(4, value.length), Buffer.from(value)])),
    int(2, bind.resultFormats.length),
    ...bind.resultFormats.map(format => int(2, format)),
  ])
}

const name = fc.string({ maxLength: 10 }).map(text => text.replaceAll('\0', ''))
const format = fc.integer({ min: 0, max: 1 })
const binds: fc.Arbitrary<Bind> = fc
  .array(fc.option(fc.uint8Array({ maxLength: 12 })), { maxLength: 40 })
  .chain(values =>
    fc.record({
      portal: name,
      statement: name,
      formats: fc.oneof(
        fc.constant([]),
        fc.tuple(format),
        fc.array(format, { minLength: values.length, maxLength: values.length }),
      ),
      values: fc.constant(values),
      resultFormats: fc.array(format, { maxLength: 5 }),
    }),
  )

test('every field is where it was put', () => {
  const view = new BindView()
  fc.assert(
    fc.property(binds, fc.nat(9), (bind, before) => {
      const message = Buffer.concat([Buffer.alloc(before, 1), body(bind), Buffer.from('next')])
      view.parse(message, before, message.length - 4)
      expect([view.portal(), view.statement(), view.count]).toEqual([bind.portal, bind.statement, bind.values.length])
      bind.values.forEach((value, i) => {
        expect(view.format(i)).toBe(
          bind.formats.length === 0 ? 0 : bind.formats.length === 1 ? bind.formats[0] : bind.formats[i],
        )
        expect(view.length(i)).toBe(value === null ? -1 : value.length)
        if (value !== null) {
          expect([...message.subarray(view.offset(i), view.offset(i) + view.length(i))]).toEqual([...value])
        }
      })
      expect(view.resultFormatCount).toBe(bind.resultFormats.length)
      if (bind.resultFormats.length > 1) {
        expect(bind.resultFormats.map((_, i) => view.resultFormat(i))).toEqual(bind.resultFormats)
      }
    }),
  )
})

function refused(bytes: Buffer, end = bytes.length): void {
  const view = new BindView()
  let thrown: unknown
  try {
    view.parse(bytes, 0, end)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(ShardwayError)
  expect((thrown as ShardwayError).sqlstate).toBe('08P01')
}

test('cut off at any byte it is refused', () => {
  const whole = body({
    portal: 'p',
    statement: 's',
    formats: [1, 0],
    values: [Buffer.from('ab'), null],
    resultFormats: [1],
  })
  for (let end = 0; end < whole.length; end++) refused(whole, end)
})

test('bytes left over, a wrong number of formats and impossible lengths are refused', () => {
  const good: Bind = { portal: '', statement: '', formats: [], values: [Buffer.from('ab')], resultFormats: [] }
  refused(Buffer.concat([body(good), Buffer.from([0])]))
  refused(body({ ...good, formats: [0, 0] }))
  for (const length of [-2, 3, 0x3fffffff, -0x80000000]) {
    const bytes = body(good)
    bytes.writeInt32BE(length, 6)
    refused(bytes)
  }
})

test('65535 parameters', () => {
  const view = new BindView()
  const values = Array.from({ length: 65535 }, () => null)
  const head = Buffer.concat([Buffer.from('\0\0'), int(2, 0), Buffer.from([0xff, 0xff])])
  const message = Buffer.concat([head, Buffer.alloc(4 * values.length, 0xff), int(2, 0)])
  view.parse(message, 0, message.length)
  expect([view.count, view.length(65534)]).toEqual([65535, -1])
})
