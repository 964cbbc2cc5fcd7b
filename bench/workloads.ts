/**
 * What is run. pgbench's built-in scripts count branches when they start and spread one transaction over tables with
 * different keys; in these every statement of a transaction has the same key.
 */
export interface Workload {
  readonly name: 'select' | 'transaction'
  readonly script: string
  /** Statements that one run of the script sends. */
  readonly statements: number
}

export const ROWS = 100_000

export const SELECT: Workload = {
  name: 'select',
  statements: 1,
  script: `\\set aid random(1, ${ROWS})
SELECT abalance FROM accounts WHERE aid = :aid;
`,
}

export const TRANSACTION: Workload = {
  name: 'transaction',
  statements: 5,
  script: `\\set aid random(1, ${ROWS})
\\set delta random(-5000, 5000)
BEGIN;
UPDATE accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM accounts WHERE aid = :aid;
INSERT INTO history (aid, delta, mtime) VALUES (:aid, :delta, CURRENT_TIMESTAMP);
END;
`,
}

export const WORKLOADS: readonly Workload[] = [SELECT, TRANSACTION]

/** On every server, run by the servers' superuser. */
export const SCHEMA = `
CREATE TABLE accounts (aid int PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler char(84) NOT NULL)
  WITH (fillfactor = 90);
CREATE TABLE history (aid int NOT NULL, delta int NOT NULL, mtime timestamp NOT NULL, filler char(22));
`

export const MODES = ['simple', 'extended', 'prepared'] as const
export type Mode = (typeof MODES)[number]
