/**
 * The router's one answer about a statement text. A plan is found once per template and reused; what depends on the
 * bound values (the shard) is named by key sources and resolved per execution by `resolve.ts`. No later stage looks
 * at SQL again.
 */

import type { ShardwayError } from '../src/errors/shardway-error.ts'

export type KeyType = 'int' | 'text' | 'uuid'

/** Where a key value is found when the statement runs. */
export type KeySource =
  /** Canonical text of the value, known when the plan was made. */
  | { readonly from: 'constant'; readonly type: KeyType; readonly text: string }
  /** The n-th literal (from 0) that the lexer stripped from the text. */
  | {
      readonly from: 'literal'
      readonly index: number
      readonly negate: boolean
      readonly type: KeyType
      /** varchar(n) length of an assigned column (INSERT), else 0: trailing blanks past it are cut, as the server does. */
      readonly maxChars: number
    }
  /** Bound parameter `$index+1`; `array` for `= ANY($n)`, whose every element is a key. */
  | {
      readonly from: 'parameter'
      readonly index: number
      readonly array: boolean
      readonly type: KeyType
      readonly maxChars: number
      /** True when the parameter stands elsewhere too: its wire type must be declared or described before binary is trusted. */
      readonly shared: boolean
    }

/** Which shards may run the statement. Every key must fall on the same shard, else the executor refuses (0A000). */
export type Target =
  /** No sharded table: reference tables or no table at all. The session's shard, or the one already open. `prefersDefault`: where none is, default_shard. */
  | { readonly kind: 'any'; readonly prefersDefault?: true }
  /** Undeclared tables and the system catalog live on `default_shard`. */
  | { readonly kind: 'default' }
  /** A `shard` hint. `keys`: those of the rows that the statement writes; one of another shard refuses it (22023). */
  | { readonly kind: 'shard'; readonly name: string; readonly keys?: readonly KeySource[] }
  /** Every sharded table is pinned by these keys; `withDefault` when an undeclared table takes part as well. */
  | { readonly kind: 'keys'; readonly keys: readonly KeySource[]; readonly withDefault: boolean }

export interface Refusal {
  readonly sqlstate: string
  readonly message: string
  readonly hint: string
  /** Byte offset into the statement (0-based), or -1. */
  readonly position: number
}

/** What a statement is to the session, beyond a query to be forwarded. */
export type SessionCommand =
  | { readonly kind: 'begin'; readonly readOnly: boolean | null; readonly isolation: string | null }
  | { readonly kind: 'commit'; readonly chain: boolean }
  | { readonly kind: 'rollback'; readonly chain: boolean }
  | { readonly kind: 'savepoint' | 'release' | 'rollback-to'; readonly savepoint: string }
  /** SET TRANSACTION, SET CONSTRAINTS (`name` ''), SET LOCAL name: only this transaction's. */
  | { readonly kind: 'set-transaction'; readonly name: string }
  /** SET [SESSION] name = value, of any setting except shardway.*; `name` lower case. `reset` for RESET / = DEFAULT. */
  | { readonly kind: 'set'; readonly name: string; readonly reset: boolean }
  | { readonly kind: 'reset-all' }
  | { readonly kind: 'discard-all' }
  /** SET [LOCAL] shardway.NAME: never forwarded. `value` null for RESET / DEFAULT. */
  | { readonly kind: 'shardway-set'; readonly name: string; readonly value: string | null; readonly local: boolean }
  | { readonly kind: 'shardway-show'; readonly name: string }
  | { readonly kind: 'copy-in' }
  /** Over several shards: the worker listens on each. `channel` null: all. */
  | { readonly kind: 'listen'; readonly channel: string }
  | { readonly kind: 'unlisten'; readonly channel: string | null }
  /** Over several shards: the session prepares `text`. `types`: OIDs, 0 unknown. */
  | { readonly kind: 'prepare'; readonly name: string; readonly types: readonly number[]; readonly text: string }
  /** Over several shards. Where the name stands, bytes; constant arguments as text, undefined for others. */
  | {
      readonly kind: 'execute'
      readonly name: string
      readonly nameStart: number
      readonly nameEnd: number
      readonly values: readonly (string | null | undefined)[]
    }
  /** DEALLOCATE name, or ALL (null): the session knows which statements are the protocol's. */
  | { readonly kind: 'deallocate'; readonly name: string | null }

/** A table that the statement touches, as marks know it (`relation` is the catalog's id on default_shard). */
export interface Touch {
  readonly relation: number
  readonly write: boolean
  /** True when the rows touched are only those of the plan's keys: the mark is per slot, else for the whole table. */
  readonly keyed: boolean
}

/** A Parse message's body after the name: text, zero byte, declared types. */
export interface TemplateParse {
  readonly rest: Buffer
  readonly textLength: number
  /** OIDs, one for each literal in order; 0: the server infers it, as it does for a quoted literal. */
  readonly types: readonly number[]
}

export interface Plan {
  /** Statements in the text. 0: an empty query. */
  readonly statements: number
  readonly command: SessionCommand | null
  /** The commands among all statements of the text, in order. */
  readonly commands: readonly SessionCommand[]
  readonly target: Target
  readonly refusal: Refusal | null
  readonly access: 'read' | 'write'
  /** May run on a standby: SELECT without locks, volatile or standby-unsafe functions, unlogged or temporary tables. */
  readonly replicaSafe: boolean
  readonly touches: readonly Touch[]
  /** Why the session must keep its server from now on (soundness 36), or null. */
  readonly pin: string | null
  /** Read on any shard and left nothing there: its block may still begin anew on another one, without it. */
  readonly movable: boolean
  /** May make or end what a pin stands for: the server is asked afterwards what is left. */
  readonly touchesPins: boolean
  /** DDL passed: the catalog is renewed before the answer goes out. */
  readonly changesCatalog: boolean
  /** The text holds transaction control among several statements: the server's own status decides afterwards. */
  readonly mixed: boolean
  /** Hints found in a comment at either end of the text, lower-case names. */
  readonly hints: ReadonlyMap<string, string>
  /** Highest $n in the text. */
  readonly parameters: number
  /** A statement prepared once and run with other constants gives the same answers (docs/internals/auto-prepare.md). */
  readonly preparable: boolean
  /** The template with a parameter for each literal; null where the text must be prepared as it stands. */
  readonly parse: TemplateParse | null
  /** Only the server can read the text; what the proxy would have said, for where it cannot be passed on. */
  readonly unread?: ShardwayError
  /** For the console and `explain`: 'single', 'refused', 'session', or 'empty'. */
  readonly tier: 'single' | 'refused' | 'session' | 'empty'
}
