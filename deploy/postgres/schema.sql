-- Run once on each shard. The tables are those of shardway.toml; the application's role owns them.
SET ROLE app;

CREATE TABLE countries (
  code text PRIMARY KEY,
  name text NOT NULL
);

CREATE TABLE customers (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  country text REFERENCES countries (code)
);

-- The primary key holds the shard key: a unique constraint can only be kept inside one shard.
CREATE TABLE orders (
  customer_id bigint NOT NULL REFERENCES customers (id),
  id bigint NOT NULL,
  total_cents bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (customer_id, id)
);

INSERT INTO countries (code, name) VALUES ('AT', 'Austria'), ('DE', 'Germany'), ('JP', 'Japan'), ('BR', 'Brazil');
