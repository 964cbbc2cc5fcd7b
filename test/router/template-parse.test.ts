import { describe, expect, it } from 'vitest'
import { Lexer } from '../../router/lexer.ts'
import { templateParse } from '../../router/template-parse.ts'

function parseOf(sql: string): { text: string; types: readonly number[]; declared: number[] } {
  const lexer = new Lexer()
  const bytes = Buffer.from(sql)
  const template = lexer.lex(bytes, 0, bytes.length)
  if (template === null) throw new Error(`no template: ${sql}`)
  const { rest, textLength, types } = templateParse(template, lexer.literals)
  const count = rest.readUInt16BE(textLength + 1)
  expect(rest[textLength]).toBe(0)
  expect(rest.length).toBe(textLength + 3 + 4 * count)
  const declared = Array.from({ length: count }, (_, i) => rest.readUInt32BE(textLength + 3 + 4 * i))
  return { text: rest.toString('utf8', 0, textLength), types, declared }
}

describe('a template as a statement with parameters', () => {
  it.each([
    ['SELECT a FROM t WHERE id = 5', 'SELECT a FROM t WHERE id = $1', [23]],
    ['SELECT a FROM t WHERE id = 5000000000 AND b = 7', 'SELECT a FROM t WHERE id = $1 AND b = $2', [20, 23]],
    [`SELECT a FROM t WHERE s = 'it''s' AND id=5`, 'SELECT a FROM t WHERE s = $1 AND id=$2', [0, 23]],
    [`SELECT "grün" FROM täble WHERE id = 1`, 'SELECT "grün" FROM täble WHERE id = $1', [23]],
    ['SELECT a FROM t /* 7 */ WHERE id = 5 -- 8', 'SELECT a FROM t   WHERE id = $1  ', [23]],
    [`SELECT a FROM t WHERE s='x'AND id=5`, 'SELECT a FROM t WHERE s=$1 AND id=$2', [0, 23]],
    ['SELECT a FROM t1 WHERE x2 = 3', 'SELECT a FROM t1 WHERE x2 = $1', [23]],
  ])('%s', (sql, text, types) => {
    expect(parseOf(sql)).toEqual({ text, types, declared: types })
  })
})
