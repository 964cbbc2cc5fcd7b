/** What the admin console needs of the process that runs it. Implemented by the control process. */
import type { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config/schema.ts'
import type { StatsReport, Watermark, WorkerReport } from '../process/messages.ts'
import type { Topology } from '../topology/topology.ts'
import type { ExplainRow } from './explain.ts'

export interface Rights {
  /** Everything. */
  readonly admin: boolean
  /** SHOW only. */
  readonly stats: boolean
}

/** When to end: at once, when no server is in a transaction, or when the last client has gone. */
export type ShutdownMode = 'immediate' | 'wait-for-servers' | 'wait-for-clients'

export interface ExplainRequest {
  readonly database: string
  readonly sql: string
  /** Bound values as text; null is NULL. */
  readonly params: ReadonlyArray<string | null>
}

/** Counters as they were, summed over workers; what averages are measured from. */
export interface StatsWindow {
  readonly atMs: number
  readonly stats: readonly StatsReport[]
}

export interface AdminContext {
  readonly config: Config
  readonly configPath: string
  /** Version of this Shardway, `x.y.z`. */
  readonly version: string
  readonly user: string
  readonly rights: Rights
  /** Name of the database that the session connected to. */
  readonly alias: 'shardway' | 'pgbouncer'
  readonly nowMs: () => number
  readonly topology: () => Topology
  readonly catalogs: () => readonly Catalog[]
  readonly watermarks: () => readonly Watermark[]
  readonly reports: () => Promise<readonly WorkerReport[]>
  /** `StatsHistory.window()`. */
  readonly statsWindow: () => StatsWindow
  /** Throws ConfigError, and then nothing has changed. */
  readonly reload: () => Promise<void>
  /** Resolves when the shutdown has begun. */
  readonly shutdown: (mode: ShutdownMode) => Promise<void>
  /** False when there is no such client. */
  readonly killClient: (id: number) => Promise<boolean>
  readonly reconnect: (database: string | null) => Promise<void>
  /** Holds all transactions of a database (null: all). Resolves when no server is left. @throws ShardwayError */
  readonly pause: (database: string | null) => Promise<void>
  readonly resume: (database: string | null) => void
  readonly setDisabled: (database: string, disabled: boolean) => void
  /** Ends all clients and servers of a database (null: all), which is paused from then on. */
  readonly kill: (database: string | null) => Promise<void>
  /** Resolves when every server that RECONNECT marked is closed. */
  readonly waitClose: (database: string | null) => Promise<void>
  readonly isPaused: (database: string) => boolean
  readonly allPaused: () => boolean
  readonly isDisabled: (database: string) => boolean
  readonly explain: (request: ExplainRequest) => Promise<readonly ExplainRow[]>
}
