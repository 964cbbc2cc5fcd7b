/** What the control process and a worker say to each other over the IPC channel. Every object is plain JSON. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Materials } from '../config/materials.ts'
import type { Config } from '../config/schema.ts'
import type { Topology } from '../topology/topology.ts'

/** How far a replica is known to have replayed (soundness 21). */
export interface Watermark {
  readonly database: string
  readonly shard: string
  readonly address: string
  /** Postmaster start the mark belongs to; a server connection of another start must not use it. */
  readonly start: string
  /** Monotonic microseconds (`process.hrtime`, one clock for all processes of a machine): every commit acknowledged
   *  before this instant has been replayed. */
  readonly replayedUs: number
  /** Replay lag as time, microseconds; -1 unknown. */
  readonly lagUs: number
}

export interface SharedMaterials extends Materials {
  /** Base64. What the salts of unknown users are made of: the same in all workers, or they would give themselves away. */
  readonly seed: string
}

/** A snapshot that a worker must acknowledge: the barrier's unit. Parts that did not change are absent. */
export interface Snapshot {
  readonly topology?: Topology
  readonly catalogs?: readonly Catalog[]
  readonly config?: Config
  /** Comes with a config, and belongs to it. */
  readonly materials?: SharedMaterials
  /** False: another process of the same state serves clients as well; its writes are not heard of here. */
  readonly alone?: boolean
}

export type ToWorker =
  | { readonly type: 'snapshot'; readonly sequence: number; readonly snapshot: Snapshot }
  | { readonly type: 'watermarks'; readonly watermarks: readonly Watermark[] }
  /** A client's socket comes with it as the handle. `over`: max_client_conn is reached, only the console may enter. */
  | { readonly type: 'client'; readonly id: number; readonly over: boolean }
  | { readonly type: 'cancel'; readonly pid: number; readonly secret: string }
  /** The control process asks for this worker's numbers (`report`), for SHOW and /metrics. */
  | { readonly type: 'report'; readonly request: number }
  | {
      readonly type: 'answer'
      readonly request: number
      readonly result: ConsoleResult | null
      readonly error: string | null
      /** Beside the error's message, when it is one of ours. */
      readonly fields?: ErrorFields
    }
  /** Servers that this worker may open in a pool, from now on. */
  | { readonly type: 'share'; readonly pool: string; readonly size: number }
  /** Give back shares of a pool if it has any to spare. */
  | { readonly type: 'lend'; readonly pool: string }
  /** One connection may be opened in a pool. */
  | { readonly type: 'permit'; readonly pool: string; readonly reserve: boolean }
  /** One connection of a pool is to be closed for others' sake: an idle one, or else (not `onlyIdle`) the next that is. */
  | { readonly type: 'yield'; readonly pool: string; readonly onlyIdle: boolean }
  /** May the client enter? Null: yes. */
  | { readonly type: 'entered'; readonly id: number; readonly refusal: Refusal | null }
  /** May the statements run? Null: yes. */
  | { readonly type: 'statements'; readonly request: number; readonly refusal: QuotaRefusal | null }
  /** Databases that PAUSE or KILL holds. */
  | { readonly type: 'paused'; readonly databases: readonly string[] }
  | { readonly type: 'command'; readonly request: number; readonly command: WorkerCommand }
  /** Stop taking clients; end when the last transaction is done, or (`patient`) when the last client has gone. */
  | { readonly type: 'drain'; readonly patient: boolean }
  | { readonly type: 'catalog-renewed'; readonly request: number }
  /** Serials of all workers that live, the receiver's own included; the first message a worker gets. */
  | { readonly type: 'siblings'; readonly serials: readonly number[] }

export type WorkerCommand =
  | { readonly kind: 'kill-client'; readonly id: number }
  | { readonly kind: 'reconnect'; readonly database: string | null }
  | { readonly kind: 'kill'; readonly database: string | null }

export type Refusal = 'max_db_client_connections' | 'max_user_client_connections' | 'disabled' | 'shutting_down'

/** Statements that a client of a limited user or database wants to run. */
export interface StatementClaim {
  readonly user: string
  readonly database: string
  readonly statements: number
  /** One of max_concurrent_statements is wanted too, until it is given back. */
  readonly slot: boolean
}

export interface QuotaRefusal {
  readonly kind: 'user' | 'database'
  readonly name: string
  readonly limit: 'max_statements_per_second' | 'max_concurrent_statements'
  readonly value: number
}

/** A pool of one worker, for what pools have in common. */
export interface PoolPlace {
  readonly pool: string
  readonly database: string
  readonly user: string
  readonly address: string
}

export type ToControl =
  | { readonly type: 'ready' }
  | { readonly type: 'acknowledge'; readonly sequence: number }
  | { readonly type: 'client-closed'; readonly id: number }
  /** The key belongs to the worker with index `worker`. */
  | { readonly type: 'cancel'; readonly worker: number; readonly pid: number; readonly secret: string }
  /** No client of this worker has the key: one of the process before may. */
  | { readonly type: 'cancel-elsewhere'; readonly pid: number; readonly secret: string }
  | { readonly type: 'report'; readonly request: number; readonly report: WorkerReport }
  | { readonly type: 'done'; readonly request: number; readonly error: string | null }
  /** A console statement typed into a session of this worker. */
  | {
      readonly type: 'console'
      readonly request: number
      readonly sql: string
      readonly user: string
      readonly alias: string
    }
  /** Clients wait for a pool that is at its share. */
  | { readonly type: 'want-share'; readonly pool: string }
  | { readonly type: 'returned-share'; readonly pool: string; readonly size: number }
  | { readonly type: 'want-permit'; readonly place: PoolPlace; readonly reserve: boolean }
  | { readonly type: 'permit-back'; readonly place: PoolPlace; readonly reserve: boolean }
  /** A client has proven who it is and wants to enter a database. */
  | { readonly type: 'enter'; readonly id: number; readonly database: string; readonly user: string }
  | { readonly type: 'want-statements'; readonly request: number; readonly claim: StatementClaim }
  /** A slot of max_concurrent_statements is free again. */
  | { readonly type: 'statements-done'; readonly user: string; readonly database: string }
  | { readonly type: 'catalog-changed'; readonly request: number; readonly database: string }
  /** A server connection found a node in another role or gone: look now. */
  | { readonly type: 'suspect'; readonly database: string; readonly shard: string; readonly address: string }
  | { readonly type: 'drained' }

export interface ErrorFields {
  readonly code: string
  readonly sqlstate: string
  readonly detail?: string
  readonly hint?: string
}

export interface ConsoleResult {
  /** CommandComplete tag. */
  readonly tag: string
  readonly columns: ReadonlyArray<{ readonly name: string; readonly type: 'text' | 'int4' | 'int8' | 'numeric' }>
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>
  readonly notices: readonly string[]
}

/** Name of a pool everywhere: database, user and node, joined by '|'. */
export interface PoolReport {
  readonly database: string
  readonly user: string
  readonly shard: string
  readonly address: string
  readonly role: string
  readonly size: number
  readonly clientsActive: number
  readonly clientsWaiting: number
  readonly cancelsActive: number
  readonly cancelsWaiting: number
  readonly serversActive: number
  readonly serversIdle: number
  readonly serversUsed: number
  readonly serversTested: number
  readonly serversLogin: number
  readonly serversCanceled: number
  readonly maxWaitUs: number
  readonly mode: string
}

export interface ClientReport {
  readonly id: number
  readonly worker: number
  readonly user: string
  readonly database: string
  readonly state: 'active' | 'idle' | 'waiting'
  readonly addr: string
  readonly port: number
  readonly localAddr: string
  readonly localPort: number
  /** Milliseconds since the epoch. */
  readonly connectTime: number
  readonly requestTime: number
  readonly waitUs: number
  readonly link: string
  readonly tls: string
  readonly applicationName: string
  readonly preparedStatements: number
  /** Bytes that its socket has not taken yet. */
  readonly unsentBytes: number
  readonly pins: string
}

export interface ServerReport {
  readonly id: number
  readonly worker: number
  readonly user: string
  readonly database: string
  readonly shard: string
  readonly address: string
  readonly role: string
  readonly state: 'active' | 'idle' | 'used' | 'tested' | 'new' | 'being_canceled'
  readonly localAddr: string
  readonly localPort: number
  readonly connectTime: number
  readonly requestTime: number
  readonly link: string
  readonly remotePid: number
  readonly tls: string
  readonly applicationName: string
  readonly preparedStatements: number
  readonly unsentBytes: number
  readonly closeNeeded: boolean
}

/** Counters of one database on one worker; plain numbers that only grow. Times in microseconds. */
export interface StatsReport {
  readonly database: string
  readonly assignments: number
  readonly transactions: number
  readonly queries: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly transactionTimeUs: number
  readonly queryTimeUs: number
  readonly waitTimeUs: number
  readonly clientParses: number
  readonly serverParses: number
  readonly binds: number
  readonly logins: number
  readonly readsOnReplicas: number
  readonly readsOnPrimaries: number
  readonly refusals: number
  readonly errors: number
}

export interface WorkerReport {
  readonly worker: number
  readonly pid: number
  readonly pools: readonly PoolReport[]
  readonly clients: readonly ClientReport[]
  readonly servers: readonly ServerReport[]
  readonly stats: readonly StatsReport[]
  readonly plans: number
  readonly loginClients: number
  readonly memoryBytes: number
  readonly cpuUs: number
}
