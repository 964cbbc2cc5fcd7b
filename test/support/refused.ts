/** The tables that `test/golden/refused.json` speaks of, as real ones. */
import type { TableDeclaration } from '../../src/cluster/shardway.ts'

export const REFUSED_SCHEMA = `
CREATE SCHEMA other;
CREATE TABLE countries (code text PRIMARY KEY, name text);
CREATE TABLE products (id int PRIMARY KEY, name text, price numeric);
CREATE TABLE customers (id bigint PRIMARY KEY, name text, email text, country_code text, created_at timestamptz DEFAULT now());
CREATE TABLE orders (
  customer_id bigint REFERENCES customers, id bigint, status text, total numeric, placed_at timestamptz DEFAULT now(),
  PRIMARY KEY (customer_id, id));
CREATE TABLE order_items (
  customer_id bigint, order_id bigint, product_id int, line int, quantity int,
  PRIMARY KEY (customer_id, order_id, line), FOREIGN KEY (customer_id, order_id) REFERENCES orders);
CREATE TABLE settings (name text PRIMARY KEY, value text, customer_id bigint, ratio float8);
CREATE TABLE tickets (id bigserial, customer_id bigint, body text, PRIMARY KEY (customer_id, id));
CREATE TABLE accounts (id bigserial PRIMARY KEY, owner text);
CREATE TABLE tenants (slug text PRIMARY KEY, plan text, alias text);
CREATE TABLE pages (slug varchar(8) PRIMARY KEY, path text);
CREATE TABLE devices (device uuid PRIMARY KEY, label text);
CREATE TABLE events (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (customer_id, id)) PARTITION BY RANGE (customer_id);
CREATE TABLE events_2024 PARTITION OF events DEFAULT;
CREATE TABLE audited (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (customer_id, id));
CREATE TABLE ruled (id bigint PRIMARY KEY);
CREATE RULE r AS ON INSERT TO ruled DO ALSO NOTIFY ruled;
CREATE TABLE secured (id bigint PRIMARY KEY);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE UNLOGGED TABLE cache_lines (id bigint PRIMARY KEY);
CREATE TABLE local_parent (customer_id bigint);
CREATE TABLE hidden_child () INHERITS (local_parent);
CREATE TABLE jobs (id bigserial PRIMARY KEY, customer_id bigint);
CREATE TABLE nullable_keys (k bigint, v text);
CREATE SEQUENCE job_seq;
CREATE VIEW order_totals AS SELECT customer_id, count(*) AS orders FROM orders GROUP BY customer_id;
CREATE VIEW latest_orders AS SELECT o.customer_id, o.id FROM orders o ORDER BY o.placed_at DESC LIMIT 10;
CREATE VIEW order_count AS SELECT count(*) AS n FROM orders;
CREATE VIEW customer_orders AS
  SELECT c.id AS buyer, o.id AS order_id, k.name AS country
  FROM customers c JOIN orders o ON o.customer_id = c.id LEFT JOIN countries k ON k.code = c.country_code;
CREATE VIEW setting_names AS SELECT name FROM settings;
CREATE VIEW nested_view AS SELECT buyer FROM customer_orders;
CREATE MATERIALIZED VIEW mat_orders AS SELECT customer_id FROM orders;
CREATE MATERIALIZED VIEW mat_settings AS SELECT name FROM settings;
CREATE FUNCTION count_orders() RETURNS bigint STABLE LANGUAGE sql AS 'select count(*) from orders';
CREATE VIEW calling_view AS SELECT count_orders() AS n;
CREATE FUNCTION add_one(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'select $1 + 1';
CREATE FUNCTION run_any(text) RETURNS void LANGUAGE plpgsql AS 'begin execute $1; end';
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
  'begin insert into order_items values (1, 1, 1, 99, 1); return new; end';
CREATE TRIGGER audit BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION order_total(bigint) RETURNS bigint STABLE LANGUAGE sql AS
  'select sum(quantity) from order_items where customer_id = $1';
CREATE FUNCTION set_price(int, numeric) RETURNS void LANGUAGE sql AS 'update products set price = $2 where id = $1';
CREATE FUNCTION setting(text) RETURNS text STABLE LANGUAGE plpgsql AS
  'begin return (select value from settings where name = $1); end';
CREATE FUNCTION become(text) RETURNS void LANGUAGE plpgsql AS
  'begin set search_path = other; perform set_config(''a.b'', $1, false); end';
CREATE FUNCTION indirect() RETURNS bigint STABLE LANGUAGE sql AS 'select count_orders()';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'begin new.placed_at = now(); return new; end';
CREATE FUNCTION product_name(int) RETURNS text STABLE LANGUAGE sql AS 'select name from products where id = $1';
CREATE FUNCTION trusted(text) RETURNS void LANGUAGE plpgsql AS 'begin execute $1; end';
CREATE FUNCTION make_temp() RETURNS void LANGUAGE plpgsql AS 'begin create temp table scratch (x int); end';
CREATE PROCEDURE cleanup() LANGUAGE plpgsql AS 'begin delete from orders; end';
CREATE FUNCTION by_dot(countries) RETURNS bigint STABLE LANGUAGE plpgsql AS 'begin return $1.count_orders; end';
CREATE FUNCTION dblink(text, text) RETURNS SETOF record LANGUAGE plpgsql AS 'begin return query execute $2; end';
CREATE FUNCTION in_python() RETURNS int LANGUAGE plpgsql AS 'begin execute $x$select 1$x$; return 1; end';
CREATE FUNCTION same_order(bigint, bigint) RETURNS boolean STABLE LANGUAGE sql AS 'select count_orders() > 0 and $1 = $2';
CREATE OPERATOR <~> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = same_order);
CREATE DOMAIN checked_order AS bigint CHECK (count_orders() >= 0 OR VALUE > 0);
INSERT INTO countries VALUES ('DE', 'Germany');
INSERT INTO products VALUES (1, 'pen', 1.50);
INSERT INTO customers (id, name) VALUES (1, 'one');
INSERT INTO settings VALUES ('a', 'b', 1, 0.5);
`

const sharded = (key: string, ...names: string[]): TableDeclaration[] => names.map(name => ({ name, key }))

export const REFUSED_DECLARATIONS: readonly TableDeclaration[] = [
  ...sharded('id', 'customers', 'accounts'),
  ...sharded('customer_id', 'orders', 'order_items', 'tickets', 'events', 'audited', 'hidden_child'),
  ...sharded('slug', 'tenants', 'pages'),
  ...sharded('device', 'devices'),
  ...sharded('k', 'nullable_keys'),
  // Declared and not made yet: no statement may make or use it as an undeclared one.
  { name: 'invoices', key: 'id' },
  { name: 'countries', reference: true },
  { name: 'products', reference: true },
]

/** The statements in the golden file: a list of texts, or of objects with the text as `sql` or `statement`. */
export function refusedStatements(json: string): string[] {
  const parsed = JSON.parse(json) as unknown
  const entries = Array.isArray(parsed) ? parsed : Object.values(parsed as object)
  return entries.flatMap((entry: unknown) => {
    if (typeof entry === 'string') return [entry]
    if (Array.isArray(entry)) return entry.filter((one): one is string => typeof one === 'string')
    const { sql, statement } = entry as { sql?: string; statement?: string }
    return [sql ?? statement ?? '']
  })
}
