/** A hand-written catalog: the demo's tables and what can hide them. `test/support/refused.ts` has the same as real tables. */
import type { Catalog, Column, Placement, Relation, Routine } from '../../../src/catalog/catalog.ts'

const INT4 = 23
const INT8 = 20
const TEXT = 25
const VARCHAR = 1043
const UUID = 2950
const NUMERIC = 1700
const FLOAT8 = 701
const TIMESTAMPTZ = 1184

type ColumnSpec = readonly [string, number, ...('pk' | 'generated' | 'volatile')[]]

function columns(specs: readonly ColumnSpec[]): Column[] {
  return specs.map(([name, type, ...flags]) => ({
    name,
    type,
    notNull: flags.includes('pk'),
    generated: flags.includes('generated'),
    volatileDefault: flags.includes('volatile'),
  }))
}

const LOCAL: Placement = { kind: 'local' }
const REFERENCE: Placement = { kind: 'reference' }

function sharded(column: string, type: 'int' | 'text' | 'uuid' = 'int', maxChars = 0): Placement {
  return { kind: 'sharded', column, type, maxChars }
}

function relation(
  id: number,
  name: string,
  placement: Placement,
  specs: readonly ColumnSpec[],
  rest: Partial<Relation> = {},
): Relation {
  return {
    id,
    schema: 'public',
    name,
    kind: 'r',
    persistence: 'p',
    columns: columns(specs),
    placement,
    definition: null,
    functions: [],
    hasTriggers: false,
    hasRules: false,
    rowSecurity: false,
    parent: 0,
    references: [],
    referencedBy: [],
    ...rest,
  }
}

function view(id: number, name: string, specs: readonly ColumnSpec[], definition: string, kind = 'v'): Relation {
  return relation(id, name, LOCAL, specs, { kind, definition })
}

function routine(id: number, name: string, volatility: string, language: string, body: string | null): Routine {
  return {
    id,
    schema: 'public',
    name,
    kind: 'f',
    volatility,
    language,
    body,
    extension: false,
    securityDefiner: false,
    settings: [],
  }
}

const ORDER_COLUMNS: readonly ColumnSpec[] = [
  ['customer_id', INT8, 'pk'],
  ['id', INT8, 'pk'],
  ['status', TEXT],
  ['total', NUMERIC],
  ['placed_at', TIMESTAMPTZ, 'volatile'],
]

const RELATIONS: readonly Relation[] = [
  relation(
    1,
    'customers',
    sharded('id'),
    [
      ['id', INT8, 'pk'],
      ['name', TEXT],
      ['email', TEXT],
      ['country_code', TEXT],
      ['created_at', TIMESTAMPTZ, 'volatile'],
    ],
    { referencedBy: [2] },
  ),
  relation(2, 'orders', sharded('customer_id'), ORDER_COLUMNS, { references: [1], referencedBy: [3] }),
  relation(
    3,
    'order_items',
    sharded('customer_id'),
    [
      ['customer_id', INT8, 'pk'],
      ['order_id', INT8, 'pk'],
      ['product_id', INT4],
      ['line', INT4, 'pk'],
      ['quantity', INT4],
    ],
    { references: [2] },
  ),
  relation(4, 'countries', REFERENCE, [
    ['code', TEXT, 'pk'],
    ['name', TEXT],
  ]),
  relation(5, 'products', REFERENCE, [
    ['id', INT4, 'pk'],
    ['name', TEXT],
    ['price', NUMERIC],
  ]),
  relation(6, 'settings', LOCAL, [
    ['name', TEXT, 'pk'],
    ['value', TEXT],
    ['customer_id', INT8],
    ['ratio', FLOAT8],
  ]),
  relation(7, 'tickets', sharded('customer_id'), [
    ['id', INT8, 'pk', 'generated'],
    ['customer_id', INT8, 'pk'],
    ['body', TEXT],
  ]),
  relation(8, 'accounts', sharded('id'), [
    ['id', INT8, 'pk', 'generated'],
    ['owner', TEXT],
  ]),
  relation(9, 'tenants', sharded('slug', 'text'), [
    ['slug', TEXT, 'pk'],
    ['plan', TEXT],
    ['alias', TEXT],
  ]),
  relation(10, 'pages', sharded('slug', 'text', 8), [
    ['slug', VARCHAR, 'pk'],
    ['path', TEXT],
  ]),
  relation(11, 'devices', sharded('device', 'uuid'), [
    ['device', UUID, 'pk'],
    ['label', TEXT],
  ]),
  relation(12, 'events', sharded('customer_id'), ORDER_COLUMNS, { kind: 'p' }),
  relation(13, 'events_2024', sharded('customer_id'), ORDER_COLUMNS, { parent: 12 }),
  relation(14, 'audited', sharded('customer_id'), ORDER_COLUMNS, { hasTriggers: true, functions: [103] }),
  relation(15, 'ruled', LOCAL, [['id', INT8, 'pk']], { hasRules: true }),
  relation(16, 'secured', LOCAL, [['id', INT8, 'pk']], { rowSecurity: true }),
  relation(17, 'cache_lines', LOCAL, [['id', INT8, 'pk']], { persistence: 'u' }),
  relation(18, 'remote', LOCAL, [['id', INT8]], { kind: 'f' }),
  relation(19, 'local_parent', LOCAL, [['customer_id', INT8]]),
  relation(20, 'hidden_child', sharded('customer_id'), [['customer_id', INT8]], { parent: 19 }),
  relation(21, 'jobs', LOCAL, [
    ['id', INT8, 'pk', 'generated'],
    ['customer_id', INT8],
  ]),
  relation(22, 'orders_pkey', LOCAL, [], { kind: 'i', table: 2 }),
  relation(23, 'settings_pkey', LOCAL, [], { kind: 'i', table: 6 }),
  relation(24, 'nullable_keys', sharded('k'), [
    ['k', INT8],
    ['v', TEXT],
  ]),
  relation(25, 'job_seq', LOCAL, [['last_value', INT8]], { kind: 'S' }),
  view(
    40,
    'order_totals',
    [
      ['customer_id', INT8],
      ['orders', INT8],
    ],
    'SELECT orders.customer_id, count(*) AS orders FROM public.orders GROUP BY orders.customer_id',
  ),
  view(
    41,
    'latest_orders',
    [
      ['customer_id', INT8],
      ['id', INT8],
    ],
    'SELECT o.customer_id, o.id FROM public.orders o ORDER BY o.placed_at DESC LIMIT 10',
  ),
  view(42, 'order_count', [['n', INT8]], 'SELECT count(*) AS n FROM public.orders'),
  view(
    43,
    'customer_orders',
    [
      ['buyer', INT8],
      ['order_id', INT8],
      ['country', TEXT],
    ],
    'SELECT c.id AS buyer, o.id AS order_id, k.name AS country FROM ((public.customers c JOIN public.orders o ON ((o.customer_id = c.id))) LEFT JOIN public.countries k ON ((k.code = c.country_code)))',
  ),
  view(44, 'setting_names', [['name', TEXT]], 'SELECT settings.name FROM public.settings'),
  view(45, 'nested_view', [['buyer', INT8]], 'SELECT customer_orders.buyer FROM public.customer_orders'),
  view(46, 'mat_orders', [['customer_id', INT8]], 'SELECT orders.customer_id FROM public.orders', 'm'),
  view(47, 'mat_settings', [['name', TEXT]], 'SELECT settings.name FROM public.settings', 'm'),
  view(48, 'calling_view', [['n', INT8]], 'SELECT public.count_orders() AS n'),
]

const ROUTINES: readonly Routine[] = [
  routine(100, 'count_orders', 's', 'sql', 'select count(*) from orders'),
  routine(101, 'add_one', 'i', 'sql', 'select $1 + 1'),
  routine(102, 'run_any', 'v', 'plpgsql', 'begin execute $1; end'),
  routine(103, 'audit', 'v', 'plpgsql', 'begin insert into order_items select 1; return new; end'),
  routine(104, 'order_total', 's', 'sql', 'select sum(quantity) from order_items where customer_id = $1'),
  routine(105, 'set_price', 'v', 'sql', 'update products set price = $2 where id = $1'),
  routine(106, 'setting', 's', 'plpgsql', 'begin return (select value from settings where name = $1); end'),
  routine(107, 'become', 'v', 'plpgsql', "begin set search_path = other; perform set_config('a.b', $1, false); end"),
  routine(108, 'indirect', 's', 'sql', 'select count_orders()'),
  routine(109, 'in_python', 'v', 'plpython3u', null),
  routine(110, 'stamp', 'v', 'plpgsql', 'begin new.placed_at = now(); return new; end'),
  routine(111, 'product_name', 's', 'sql', 'select name from products where id = $1'),
  { ...routine(112, 'trusted', 'v', 'plpgsql', 'begin execute $1; end') },
  { ...routine(113, 'similarity', 'i', 'c', null), extension: true },
  { ...routine(114, 'dblink', 'v', 'c', null), extension: true },
  routine(115, 'make_temp', 'v', 'plpgsql', 'begin create temp table scratch (x int); end'),
  routine(117, 'by_dot', 's', 'plpgsql', 'begin return $1.count_orders; end'),
  { ...routine(116, 'cleanup', 'v', 'plpgsql', 'begin delete from orders; end'), kind: 'p' },
]

export const CATALOG: Catalog = {
  database: 'app',
  version: 1,
  serverVersion: 150000,
  encoding: 'UTF8',
  searchPath: ['public'],
  relations: RELATIONS,
  routines: ROUTINES,
  operators: [['<~>', [100]]],
  types: [['checked_order', [100]]],
  volatileBuiltins: ['random', 'clock_timestamp', 'gen_random_uuid', 'nextval', 'setval', 'pg_sleep', 'pg_notify'],
  schemas: ['public', 'other'],
  localRoutines: ['public.order_total', 'public.trusted'],
  declared: ['public.customers', 'public.orders', 'public.order_items', 'public.countries', 'public.invoices'],
  oids: {},
}
