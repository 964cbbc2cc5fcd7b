import { describe, expect, test } from 'vitest'
import { parseHints, unknownHints } from '../../router/hints.ts'
import { Lexer } from '../../router/lexer.ts'
import { INT8 } from '../../router/literals.ts'

const lexer = new Lexer()

/** The text stands in the middle of a buffer, as it does in a message. */
function lex(sql: string): string | null {
  const bytes = Buffer.from(`'"${sql}'"`)
  return lexer.lex(bytes, 2, bytes.length - 2)
}

/** Placeholders made visible. */
function template(sql: string): string | null {
  const found = lex(sql)
  const decoded = found?.replace(
    /[\xf9-\xfc]/g,
    byte => ['<int4>', '<int8>', '<num>', '<str>'][byte.charCodeAt(0) - 0xf9] ?? '',
  )
  return decoded === undefined ? null : Buffer.from(decoded, 'latin1').toString('utf8')
}

function values(): string[] {
  return Array.from({ length: lexer.literals.count }, (_, i) => lexer.literals.text(i))
}

describe('templates', () => {
  test.each([
    ['select * from t where id = 42', 'select * from t where id = <int4>', ['42']],
    [`SELECT 'it''s', 'ä'`, 'SELECT <str>, <str>', [`it's`, 'ä']],
    [
      'select 2147483647, 2147483648, 1.5, .5, 5., 1e9, 1.e-3',
      'select <int4>, <int8>, <num>, <num>, <num>, <num>, <num>',
    ],
    ['select 00000000001, 9223372036854775807', 'select <int4>, <int8>'],
    [
      'select t1.c2, a1b2, $1, $12 from "x 1" where x::int4=-5',
      'select t1.c2, a1b2, $1, $12 from "x 1" where x::int4=-<int4>',
    ],
    [`select int4 '5', x.y'z'`, 'select int4 <str>, x.y<str>'],
    [`select abce'x'`, 'select abce<str>'],
    ['select "a""b\'" , a[1:2]', 'select "a""b\'" , a[<int4>:<int4>]'],
    ['select 1 -- one\n, 2 /* two /* deep */ */ + 3', 'select <int4>  \n, <int4>   + <int4>'],
    ['/*a*/select/**/1', ' select <int4>'],
    ['select 1;  -- end', 'select <int4>;   '],
    ['(select 1)', '(select <int4>)'],
    ['select a->1, b@>-2, 3*/*x*/4', 'select a-><int4>, b@>-<int4>, <int4>* <int4>'],
    [`select ''`, 'select <str>', ['']],
    ['select déjà1, 漢2', 'select déjà1, 漢2', []],
  ])('%s', (sql: string, expected: string, literals?: string[]) => {
    expect(template(sql)).toBe(expected)
    if (literals !== undefined) expect(values()).toEqual(literals)
  })

  test.each([
    `select E'a\\'b'`,
    `select b'0'`,
    `select x'1f'`,
    `select n'x'`,
    `select U&'x'`,
    `select U&"x" from t`,
    'select $$a$$',
    'select $a$ $$ $a$',
    `select 'a'\n'b'`,
    `select 'a' -- c\n 'b'`,
    'select 0x2A',
    'select 4_2',
    'select 1abc',
    'select 1..2',
    'select $1a',
    'select 9223372036854775808',
    `select 'open`,
    'select "open',
    'select /* open',
    'select $a$ open',
    'select 1; select 2',
    `set a = 'b'`,
    'selecting 1',
    'create table t (a varchar(5))',
    'explain select 1',
    '',
    ' -- only a comment',
    'select \u0001',
  ])('%j stands for itself only', sql => {
    expect(lex(sql)).toBe(null)
    expect(lexer.exactOnly).toBe(true)
  })

  test('bytes that are placeholders never pass for one', () => {
    for (const byte of [0xf8, 0xf9, 0xfc, 0xff]) {
      const bytes = Buffer.from(
        `select x from t where id = ? or ab? = 1`.replaceAll('?', String.fromCharCode(byte)),
        'latin1',
      )
      expect(lexer.lex(bytes, 0, bytes.length)).toBe(null)
    }
  })

  test('many literals', () => {
    const numbers = Array.from({ length: 1000 }, (_, i) => String(i * 7_000_000))
    lex(`select ${numbers.join(', ')}`)
    expect(values()).toEqual(numbers)
    expect(lexer.literals.kinds[999]).toBe(INT8)
  })
})

describe('constants by the parser’s location', () => {
  test.each([
    ['select -5', 7, '5', true],
    ['select - - 5', 7, '5', false],
    ['select - /* - /* x */ */ (-- -\n  7)', 7, '7', true],
    ['select 1, 8', 10, '8', false],
  ])('%s', (sql, location, text, negated) => {
    lex(sql)
    const index = lexer.literals.indexAt(location)
    expect(lexer.literals.text(index)).toBe(text)
    expect(lexer.literals.negatedAt(location)).toBe(negated)
  })

  test('nowhere else', () => {
    lex('select a, 5')
    expect(lexer.literals.indexAt(7)).toBe(-1)
    expect(lexer.literals.indexAt(11)).toBe(-1)
  })
})

function hints(sql: string): Record<string, string>[] {
  lex(sql)
  const ranges = [
    [lexer.leadingHintStart, lexer.leadingHintEnd],
    [lexer.trailingHintStart, lexer.trailingHintEnd],
  ] as const
  return ranges
    .filter(([start]) => start >= 0)
    .map(([start, end]) => Object.fromEntries(parseHints(lexer.literals.bytes.toString('utf8', start, end))))
}

describe('hints', () => {
  test.each<[string, Record<string, string>[]]>([
    ['/* shardway: key=42, role=replica */ select 1', [{ key: '42', role: 'replica' }]],
    ['select 1 /*shardway:key=42*/', [{ key: '42' }]],
    ['select 1; -- SHARDWAY: Shard = s1', [{ shard: 's1' }]],
    [`/*shardway: key='a, b''c'*/ select 1 -- shardway: role="replica"`, [{ key: `a, b'c` }, { role: 'replica' }]],
    ['/* trace */ /* shardway: key=1 */ select 1 /* trace */', [{ key: '1' }]],
    ['select /* shardway: key=1 */ 1', []],
    [`select '/* shardway: key=1 */'`, []],
    ['select 1 /* not shardway: key=1 */', []],
    ['/* shardway: */ select 1', [{}]],
  ])('%s', (sql, expected) => expect(hints(sql)).toEqual(expected))

  test('a hint is part of the template, another comment is not', () => {
    expect(template('/* shardway: key=1 */ select 1')).toBe('/* shardway: key=1 */ select <int4>')
    expect(template('select 1 /* traceparent=00-1 */')).toBe(template('select 2 /* traceparent=00-2 */'))
  })

  test('unknown names and malformed pieces are told', () => {
    expect(unknownHints(parseHints('/* shardway: key=1, kye=2 */'))).toEqual(['kye'])
    expect(unknownHints(parseHints('/* shardway: key=1 role=x */'))).toEqual(['key=1 role=x (not name=value)'])
    expect(unknownHints(parseHints('-- shardway: key'))).toEqual(['key (not name=value)'])
    expect(unknownHints(parseHints('-- shardway: key=1, role=replica'))).toEqual([])
  })
})
