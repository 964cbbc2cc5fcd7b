import * as fc from 'fast-check'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { Lexer } from '../../router/lexer.ts'
import { INT4, NUMERIC, STRING } from '../../router/literals.ts'

beforeAll(() => loadModule())

const lexer = new Lexer()

/** The text stands in the middle of a buffer, as it does in a message. */
function lex(sql: string): string | null {
  const bytes = Buffer.from(`'"${sql}'"`)
  return lexer.lex(bytes, 2, bytes.length - 2)
}

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
