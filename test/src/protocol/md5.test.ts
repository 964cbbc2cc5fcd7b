import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { md5Password } from '../../../src/protocol/md5.ts'

const hex = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

it('md5Password', () => {
  const salt = Buffer.from([1, 2, 0xff, 0])
  const stored = hex(Buffer.from('secretäapp'))
  const expected = `md5${hex(Buffer.concat([Buffer.from(stored), salt]))}`
  expect(md5Password('app', 'secretä', salt)).toBe(expected)
  expect(md5Password('app', `md5${stored}`, salt)).toBe(expected)
})
