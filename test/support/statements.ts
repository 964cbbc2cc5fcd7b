/** Random statements for one key over the sample schema. */
import { createHash } from 'node:crypto'
import type { Random } from './random.ts'

export type ParameterType = 'int2' | 'int4' | 'int8' | 'text' | 'uuid' | 'numeric'

export interface Statement {
  /** With $1 …; parameters that are not key-like carry a cast where the server could not tell their type. */
  readonly sql: string
  readonly parameters: ReadonlyArray<{ readonly type: ParameterType; readonly value: string | null }>
  /** False when the order of rows is the server's choice. */
  readonly ordered: boolean
}

export type Value = Statement['parameters'][number]

const INT_KEYS: readonly string[] = [
  ...Array.from({ length: 150 }, (_, i) => String(i)),
  ...Array.from({ length: 30 }, (_, i) => String(-1 - i * 7919)),
  '2147483647',
  '-2147483648',
  '2147483648',
  '9223372036854775807',
  '-9223372036854775807',
]
const SMALL_KEYS = INT_KEYS.slice(0, 180)
const TEXT_KEYS: readonly string[] = [
  '',
  ' ',
  'a',
  'A',
  "o'clock",
  'back\\slash',
  'trailing  ',
  'ünïcode',
  '日本語',
  '😀',
  '$1',
  '--',
  '/* */',
  '"quoted"',
  '%',
  'null',
  '42',
  ...Array.from({ length: 60 }, (_, i) => `page-${i}`),
]
const UUID_KEYS: readonly string[] = Array.from({ length: 60 }, (_, i) => {
  const hex = createHash('md5').update(`device ${i}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
})

const int8 = (value: string): Value => ({ type: 'int8', value })
const int4 = (value: number | string): Value => ({ type: 'int4', value: String(value) })
const text = (value: string | null): Value => ({ type: 'text', value })
const uuid = (value: string): Value => ({ type: 'uuid', value })
const numeric = (value: string): Value => ({ type: 'numeric', value })

type Maker = (random: Random, key: Value) => Statement
const made = (sql: string, parameters: readonly Value[], ordered = true): Statement => ({ sql, parameters, ordered })

const name = (random: Random): Value => text(random.pick(['Ann', 'Bob', "O'Hara", 'Zoë', '', 'x'.repeat(300)]))
const note = (random: Random): Value =>
  text(random.pick([null, 'short', 'twenty characters ok', 'more than twenty characters']))
const amount = (random: Random): Value => numeric(random.pick(['0', '1.5', '99.99', '-3', '1200.005', '99999999999']))
const orderId = (random: Random): Value => int4(random.below(6))

const CUSTOMER: ReadonlyArray<readonly [number, Maker]> = [
  [
    6,
    (r, k) =>
      made('INSERT INTO customers (id, name, balance, note) VALUES ($1, $2, $3, $4)', [k, name(r), amount(r), note(r)]),
  ],
  [3, (r, k) => made('INSERT INTO customers (id, name) VALUES ($1, $2) RETURNING *', [k, name(r)])],
  [
    3,
    (r, k) =>
      made(
        'INSERT INTO customers AS c (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = c.name || excluded.name RETURNING id, length(name) AS l',
        [k, name(r)],
      ),
  ],
  [3, (r, k) => made('INSERT INTO customers (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [k, name(r)])],
  [
    2,
    (_, k) =>
      made(
        "INSERT INTO customers (id, name, score, tags, extra, born, seen, feeling, country) VALUES ($1, 'all', 1.5e300, '{a,NULL,\"b c\"}', '{\"a\": [1, null]}', '2001-02-03', '2020-01-01 12:00+00', 'happy', 'DE')",
        [k],
      ),
  ],
  [1, (_, k) => made('INSERT INTO customers (id, name) VALUES ($1, NULL)', [k])],
  [1, (_, k) => made("INSERT INTO customers (id, name, country) VALUES ($1, 'x', 'XX')", [k])],
  [4, (r, k) => made('INSERT INTO orders (customer_id, id, amount) VALUES ($1, $2, $3)', [k, orderId(r), amount(r)])],
  [
    3,
    (r, k) =>
      made('INSERT INTO orders VALUES ($1, $2, 1), ($4, $3, 2.50) RETURNING id, amount', [
        k,
        orderId(r),
        orderId(r),
        k,
      ]),
  ],
  [5, (r, k) => made('UPDATE customers SET balance = balance + $2::numeric WHERE id = $1', [k, amount(r)])],
  [
    3,
    (r, k) =>
      made('UPDATE customers SET name = $2, note = $3 WHERE $1 = id RETURNING id, name, note, balance * 2 AS twice', [
        k,
        name(r),
        note(r),
      ]),
  ],
  [
    2,
    (_, k) =>
      made(
        'UPDATE orders o SET amount = o.amount + 1 FROM customers c WHERE c.id = o.customer_id AND c.id = $1 RETURNING o.id',
        [k],
        false,
      ),
  ],
  [2, (r, k) => made('DELETE FROM orders WHERE customer_id = $1 AND id = $2 RETURNING *', [k, orderId(r)])],
  [2, (_, k) => made('DELETE FROM orders WHERE customer_id = $1', [k])],
  [2, (_, k) => made('DELETE FROM customers WHERE id = $1', [k])],
  [9, (_, k) => made('SELECT * FROM customers WHERE id = $1', [k])],
  [4, (_, k) => made('SELECT id, amount FROM orders WHERE customer_id = $1 ORDER BY id DESC', [k])],
  [3, (_, k) => made('SELECT customer_id, id FROM orders WHERE customer_id = $1', [k], false)],
  [
    4,
    (_, k) =>
      made(
        'SELECT c.name, o.id, o.amount FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = $1 ORDER BY o.id',
        [k],
      ),
  ],
  [
    3,
    (_, k) =>
      made(
        'SELECT c.id, o.id AS oid FROM customers c LEFT JOIN orders o ON c.id = o.customer_id WHERE c.id = $1 ORDER BY 2 NULLS FIRST',
        [k],
      ),
  ],
  [
    2,
    (_, k) =>
      made('SELECT c.name, n.name FROM customers c JOIN countries n ON n.code = c.country WHERE c.id = $1', [k]),
  ],
  [
    2,
    (_, k) =>
      made(
        'SELECT count(*), sum(amount), avg(amount)::numeric(20,4), min(id), max(id) FROM orders WHERE customer_id = $1',
        [k],
      ),
  ],
  [2, (_, k) => made('SELECT id, sum(amount) OVER (ORDER BY id) FROM orders WHERE customer_id = $1 ORDER BY id', [k])],
  [
    2,
    (_, k) =>
      made(
        'WITH mine AS (SELECT * FROM orders WHERE customer_id = $1) SELECT id % 2 AS odd, count(*) FROM mine GROUP BY 1 ORDER BY 1',
        [k],
      ),
  ],
  [
    2,
    (_, k) =>
      made('SELECT id FROM customers c WHERE c.id = $1 AND EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id)', [
        k,
      ]),
  ],
  [2, (_, k) => made('SELECT name FROM customers WHERE id IN ($1)', [k])],
  [2, (_, k) => made('SELECT name FROM customers WHERE id = $1 FOR UPDATE', [k])],
  [1, (_, k) => made('SELECT * FROM rich WHERE id = $1', [k])],
  [
    1,
    (_, k) =>
      made("SELECT feeling, extra -> 'a', tags[2] FROM customers WHERE id = $1 AND name <> 'it''s' -- a comment", [k]),
  ],
  [1, (_, k) => made('SELECT balance / (balance - balance) FROM customers WHERE id = $1', [k])],
  [1, (_, k) => made('SELECT nonsense FROM customers WHERE id = $1', [k])],
  [1, (_, k) => made("UPDATE customers SET feeling = 'grim' WHERE id = $1", [k])],
  [1, (_, k) => made('SELECT id, name FROM customers WHERE id = $1 ORDER', [k])],
]

const PAGE: ReadonlyArray<readonly [number, Maker]> = [
  [4, (r, k) => made('INSERT INTO pages (slug, title) VALUES ($1, $2)', [k, name(r)])],
  [
    4,
    (r, k) =>
      made(
        'INSERT INTO pages VALUES ($1, $2, 1) ON CONFLICT (slug) DO UPDATE SET hits = pages.hits + 1 RETURNING slug, hits',
        [k, name(r)],
      ),
  ],
  [4, (_, k) => made('UPDATE pages SET hits = hits + 1 WHERE slug = $1 RETURNING *', [k])],
  [2, (_, k) => made('DELETE FROM pages WHERE slug = $1', [k])],
  [6, (_, k) => made('SELECT * FROM pages WHERE slug = $1', [k])],
  [3, (r, k) => made('INSERT INTO words (slug, word, n) VALUES ($1, $2, $3)', [k, name(r), orderId(r)])],
  [
    3,
    (_, k) =>
      made(
        'SELECT p.slug, w.word, w.n FROM pages p JOIN words w ON w.slug = p.slug WHERE p.slug = $1 ORDER BY w.word COLLATE "C"',
        [k],
      ),
  ],
  [2, (_, k) => made('DELETE FROM words WHERE slug = $1 RETURNING word', [k], false)],
]

const DEVICE: ReadonlyArray<readonly [number, Maker]> = [
  [4, (r, k) => made("INSERT INTO devices (id, label, bytes) VALUES ($1, $2, '\\x00ff10')", [k, name(r)])],
  [3, (_, k) => made('UPDATE devices SET n = COALESCE(n, 0) + 1 WHERE id = $1 RETURNING id, n, bytes', [k])],
  [2, (_, k) => made('DELETE FROM devices WHERE id = $1', [k])],
  [6, (_, k) => made('SELECT * FROM devices WHERE id = $1', [k])],
  [3, (r, k) => made('INSERT INTO readings VALUES ($1, $2, 0.1)', [k, orderId(r)])],
  [
    3,
    (_, k) =>
      made(
        'SELECT d.id, r.at, r.v FROM devices d JOIN readings r ON d.id = r.device_id WHERE r.device_id = $1 ORDER BY r.at',
        [k],
      ),
  ],
]

const COUNTER: ReadonlyArray<readonly [number, Maker]> = [
  [3, (_, k) => made('INSERT INTO counters VALUES ($1, 1)', [k])],
  [
    3,
    (_, k) =>
      made('INSERT INTO counters VALUES ($1, 1) ON CONFLICT (k) DO UPDATE SET n = counters.n * 2 RETURNING n', [k]),
  ],
  [3, (_, k) => made('UPDATE counters SET n = n + 1 WHERE k = $1', [k])],
  [2, (_, k) => made('DELETE FROM counters WHERE k = $1', [k])],
  [4, (_, k) => made('SELECT n, k + 1 AS next FROM counters WHERE k = $1', [k])],
]

const OTHER: ReadonlyArray<readonly [number, (random: Random) => Statement]> = [
  [2, () => made('SELECT code, name FROM countries ORDER BY code', [])],
  [2, r => made('SELECT name FROM countries WHERE code = $1', [text(r.pick(['DE', 'XX']))])],
  [2, r => made('SELECT $1::int + 1 AS sum, $2::text AS txt', [int4(r.below(1000)), name(r)])],
  [2, r => made('SELECT * FROM notes WHERE id = $1', [int4(r.below(60))])],
  [2, r => made('UPDATE notes SET body = $2 WHERE id = $1', [int4(r.below(60)), name(r)])],
  [1, () => made('SELECT 1 / 0', [])],
  [1, () => made('SELECT * FROM no_such_table', [])],
  [1, () => made('SELEKT 1', [])],
]

export type Group = 'customer' | 'page' | 'device' | 'counter'

export function randomKey(random: Random, group: Group): Value {
  switch (group) {
    case 'customer':
      return int8(random.pick(INT_KEYS))
    case 'page':
      return text(random.pick(TEXT_KEYS))
    case 'device':
      return uuid(random.pick(UUID_KEYS))
    case 'counter':
      return int4(random.pick(SMALL_KEYS))
  }
}

export function randomGroup(random: Random): Group {
  return random.weighted([
    [6, 'customer'],
    [2, 'page'],
    [1, 'device'],
    [1, 'counter'],
  ])
}

const MAKERS = { customer: CUSTOMER, page: PAGE, device: DEVICE, counter: COUNTER } as const

export function statementFor(random: Random, group: Group, key: Value): Statement {
  return random.weighted(MAKERS[group])(random, key)
}

export function otherStatement(random: Random): Statement {
  return random.weighted(OTHER)(random)
}
