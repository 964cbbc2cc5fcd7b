/** What a worker lends to its sessions. */
import type { SecureContext } from 'node:tls'
import type { Cancels } from '../../pool/cancels.ts'
import type { Marks } from '../../pool/marks.ts'
import type { Users } from '../auth/users.ts'
import type { Config } from '../config/schema.ts'
import type { ConsoleResult, Watermark } from '../process/messages.ts'
import type { DatabaseContext } from './database-context.ts'
import type { SharedStatements } from './shared-statements.ts'

export interface CancelKey {
  readonly pid: number
  readonly secret: Buffer
}

export interface TlsContext {
  readonly secureContext: SecureContext
}

export interface Environment {
  readonly config: Config
  readonly users: Users
  readonly marks: Marks
  readonly cancels: Cancels
  readonly statements: SharedStatements
  readonly tls: TlsContext | null
  /** Null while the database is not known; its `ready` tells whether it may be used yet. */
  database(name: string): DatabaseContext | null
  watermark(database: string, shard: string, address: string): Watermark | undefined
  /** Calls once when the next watermarks came. */
  whenWatermarks(callback: () => void): void
  /** DDL was committed: calls back when every worker has the renewed catalog, or when waiting for it makes no sense. */
  catalogChanged(database: string, callback: () => void): void
  console(sql: string, user: string, alias: string, callback: (result: ConsoleResult | Error) => void): void
  newCancelKey(secretBytes: number): CancelKey
  /** A cancel request that arrived here, whoever's it is. */
  cancel(pid: number, secret: string): void
  logWarning(message: string, fields: Record<string, unknown>): void
  readonly draining: boolean
}
