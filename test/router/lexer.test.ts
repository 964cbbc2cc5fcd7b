import fc from 'fast-check'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseHints, unknownHints } from '../../router/hints.ts'
import { Lexer } from '../../router/lexer.ts'
import { INT4, INT8, NUMERIC, STRING } from '../../router/literals.ts'

beforeAll(() => loadModule())

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

describe('hints', () => {
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

interface Constant {
  readonly location: number
  readonly text: string
  readonly string: boolean
}

/** Every A_Const with a value of its own, and the tree with those values and all places taken out. */
function constants(sql: string): { readonly found: Constant[]; readonly shape: string } | null {
  let tree: unknown
  try {
    tree = parseSync(sql)
  } catch {
    return null
  }
  const found: Constant[] = []
  const shape = JSON.stringify(tree, (key, node) => {
    if (
      key === 'location' ||
      key === 'stmt_len' ||
      key === 'stmt_location' ||
      key === 'list_start' ||
      key === 'list_end' ||
      key === 'rexpr_list_end'
    )
      return undefined
    if (key !== 'A_Const') return node
    const location: number = node.location ?? 0
    if (node.ival !== undefined) found.push({ location, text: String(node.ival.ival ?? 0), string: false })
    else if (node.fval !== undefined) found.push({ location, text: node.fval.fval, string: false })
    else if (node.sval !== undefined) found.push({ location, text: node.sval.sval ?? '', string: true })
    else return node
    return node.sval === undefined ? 'number' : 'string'
  })
  return { found, shape }
}

const gap = fc.constantFrom(' ', '  ', '\n', '\t', ' /* c */ ', '/* a /* b */ */', ' -- x\n', "/*'*/", ' --"\n ', '')
const number = fc.oneof(
  fc.nat(9).map(String),
  fc.nat().map(String),
  fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String),
  fc.constantFrom('0', '007', '1.5', '.5', '5.', '1e5', '1.e-2', '2147483647', '2147483648', '9223372036854775807'),
  fc.constantFrom('9223372036854775808', '0x2a', '1_000', '0b1', '1.5e', '5e+1'),
)
const quoted = fc
  .array(
    fc.constantFrom('a', "''", '"', '\\', '--', '/*', '*/', '$$', '$1', ';', ' ', '\n', 'ä', '漢', '🙂', '%', '5'),
    { maxLength: 6 },
  )
  .map(parts => `'${parts.join('')}'`)
const odd = fc.constantFrom(
  "E'a\\'b'",
  "e'\\\\'",
  "x'1F'",
  "b'01'",
  "n'x'",
  "U&'\\0041'",
  '$$a$$',
  "$q$ ' $q$",
  "'a'\n'b'",
  "E'a'\n'\\''",
)
const operand = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 4, arbitrary: quoted },
  { weight: 1, arbitrary: odd },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'id',
      'a1',
      't.b2',
      '"q""5\'"',
      '$1',
      '$12',
      'null',
      'true',
      'ä1',
      'e',
      'u',
      "date '2020-01-01'",
    ),
  },
)
const term: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: operand },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('-', '- ', '+', '-(', '@ '), operand)
      .map(([sign, value]) => (sign === '-(' ? `-(${value})` : sign + value)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(operand, fc.constantFrom('::int8', '::text', '::numeric(10,2)', '::varchar(3)'))
      .map(([value, cast]) => value + cast),
  },
)
const operator = fc.constantFrom(
  '=',
  '<>',
  '+',
  '-',
  '*',
  '/',
  '||',
  '->',
  '@>',
  '%',
  'and',
  'or',
  'is distinct from',
  ',',
)
const clause = fc
  .array(fc.tuple(gap, operator, gap, term), { maxLength: 4 })
  .chain(rest => fc.tuple(term, fc.constant(rest)))
  .map(([first, rest]) => first + rest.map(([before, op, after, next]) => `${before} ${op} ${after}${next}`).join(''))
const statement = fc
  .tuple(
    gap,
    fc.constantFrom('select', 'SELECT', 'values ('),
    gap,
    clause,
    fc.constantFrom('', ' from t', ' from t limit 5', ';', ' as x'),
    gap,
  )
  .map(
    ([lead, verb, space, body, tail, end]) => `${lead}${verb} ${space}${body}${verb === 'values (' ? ')' : tail}${end}`,
  )

describe('against the real parser', () => {
  test('the literals are the tree’s constants', () => {
    let compared = 0
    fc.assert(
      fc.property(statement, sql => {
        const tree = constants(sql)
        if (tree === null || lex(sql) === null) return
        const seen = new Set<number>()
        for (const constant of tree.found) {
          const index = lexer.literals.indexAt(constant.location)
          expect(index).toBeGreaterThanOrEqual(0)
          seen.add(index)
          const text = lexer.literals.text(index)
          const kind = lexer.literals.kinds[index]
          expect(kind === STRING).toBe(constant.string)
          if (constant.string) {
            expect(text).toBe(constant.text)
          } else {
            const signed = lexer.literals.negatedAt(constant.location) ? `-${text}` : text
            // The parser gives small integers as numbers, everything else as written.
            const written = /^-?\d{1,10}$/.test(constant.text) && kind === INT4 ? String(Number(signed) + 0) : signed
            expect(written).toBe(constant.text)
            expect(kind === NUMERIC).toBe(/[.eE]/.test(text))
          }
          compared++
        }
        expect(seen.size).toBe(lexer.literals.count)
      }),
      { numRuns: 10_000 },
    )
    expect(compared).toBeGreaterThan(5000)
  })

  test('texts of one template have one tree', () => {
    let compared = 0
    const pair = fc.tuple(statement, fc.infiniteStream(fc.oneof(number, quoted)))
    fc.assert(
      fc.property(pair, ([sql, others]) => {
        const first = lex(sql)
        if (first === null) return
        // The same statement with every literal replaced by another.
        const bytes = Buffer.from(sql)
        const { literals } = lexer
        let other = ''
        let at = 0
        for (let i = 0; i < literals.count; i++) {
          const next: string = others.next().value
          other += bytes.toString('utf8', at, literals.starts[i]) + next
          at = literals.ends[i] ?? 0
        }
        other += bytes.toString('utf8', at)
        if (lex(other) !== first) return
        const trees = [constants(sql), constants(other)]
        expect(trees[1]?.shape).toBe(trees[0]?.shape)
        compared++
      }),
      { numRuns: 10_000 },
    )
    expect(compared).toBeGreaterThan(500)
  })

  test('one byte more or less never keeps the template and changes the tree', () => {
    fc.assert(
      fc.property(
        statement,
        fc.nat(),
        fc.constantFrom('', "'", '"', '-', '/*', '*/', '$', 'e', 'E', '1', '.', ' ', '\n', ';', '&'),
        (sql, place, piece) => {
          const at = place % (sql.length + 1)
          const cut = sql.slice(0, at) + piece + sql.slice(piece === '' ? at + 1 : at)
          const other = Buffer.from(cut).toString('utf8')
          const first = lex(sql)
          if (first === null || lex(other) !== first) return
          expect(constants(other)?.shape).toBe(constants(sql)?.shape)
        },
      ),
      { numRuns: 10_000 },
    )
  })
})
