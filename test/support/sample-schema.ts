/** The tables of the whole-system suites: every key type, foreign keys on the key, reference and undeclared tables. */

export const SAMPLE_SCHEMA = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE customers (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  balance numeric(12,2) NOT NULL DEFAULT 0 CONSTRAINT balance_limit CHECK (balance >= -1000),
  note varchar(20),
  score float8,
  tags text[],
  extra jsonb,
  born date,
  seen timestamptz,
  feeling mood,
  country text REFERENCES countries
);
CREATE TABLE orders (
  customer_id bigint NOT NULL REFERENCES customers,
  id int NOT NULL,
  amount numeric(10,2),
  PRIMARY KEY (customer_id, id)
);
CREATE TABLE pages (slug text PRIMARY KEY, title text, hits int NOT NULL DEFAULT 0);
CREATE TABLE words (slug varchar(40) NOT NULL REFERENCES pages, word text, n int, PRIMARY KEY (slug, word));
CREATE TABLE devices (id uuid PRIMARY KEY, label text, bytes bytea, n smallint);
CREATE TABLE readings (device_id uuid NOT NULL, at int, v float8, PRIMARY KEY (device_id, at));
CREATE TABLE counters (k int PRIMARY KEY, n int NOT NULL);
CREATE TABLE notes (id int PRIMARY KEY, body text);
CREATE VIEW rich AS SELECT id, name, balance FROM customers WHERE balance > 100;
INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', 'France'), ('JP', 'Japan'), ('BR', 'Brazil');
INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 50) i;
`

export interface SampleTable {
  readonly name: string
  /** Shard key, null for a reference table. */
  readonly key: string | null
}

export const SAMPLE_TABLES: readonly SampleTable[] = [
  { name: 'customers', key: 'id' },
  { name: 'orders', key: 'customer_id' },
  { name: 'pages', key: 'slug' },
  { name: 'words', key: 'slug' },
  { name: 'devices', key: 'id' },
  { name: 'readings', key: 'device_id' },
  { name: 'counters', key: 'k' },
  { name: 'countries', key: null },
]

const SEED = '8816678312871386365'

/** Stock SQL: the slot of a key, as any DBA can compute it. */
export function slotExpression(table: string): string {
  const hash: Readonly<Record<string, string>> = {
    customers: `hashint8extended(id, ${SEED})`,
    orders: `hashint8extended(customer_id, ${SEED})`,
    pages: `hashtextextended(slug, ${SEED})`,
    words: `hashtextextended(slug, ${SEED})`,
    devices: `uuid_hash_extended(id, ${SEED})`,
    readings: `uuid_hash_extended(device_id, ${SEED})`,
    counters: `hashint4extended(k, ${SEED})`,
  }
  return `(((${hash[table]} & 16383) + 10467) & 16383)`
}
