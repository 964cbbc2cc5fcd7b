/** What a worker lends to its sessions. */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Cancels } from '../../pool/cancels.ts'
import type { Marks } from '../../pool/marks.ts'
import type { Authentication } from '../auth/authentication.ts'
import type { Config } from '../config/schema.ts'
import type { ConsoleResult, QuotaRefusal, StatementClaim, Watermark } from '../process/messages.ts'
import type { DatabaseContext } from './database-context.ts'
import type { SharedStatements } from './shared-statements.ts'

export interface CancelKey {
  readonly pid: number
  readonly secret: Buffer
}

export interface TlsContext {
  /** tls-server-end-point of the certificate; null where it has none. */
  readonly endPoint: Buffer | null
  /** `seen`: bytes of the handshake that were read already. Calls back when it is done; a failed one closes the socket. */
  secure(plain: Socket, seen: Buffer | null, onSecure: (socket: TLSSocket) => void): void
}

export interface Environment {
  readonly config: Config
  readonly authentication: Authentication
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
  /** Asks whether statements of a limited user or database may run. */
  askStatements(claim: StatementClaim, callback: (refusal: QuotaRefusal | null) => void): void
  statementsDone(user: string, database: string): void
  newCancelKey(secretBytes: number): CancelKey
  /** A cancel request that arrived here, whoever's it is. */
  cancel(pid: number, secret: string): void
  logWarning(message: string, fields: Record<string, unknown>): void
  /** Clients are sent away as soon as their transaction is over. */
  readonly draining: boolean
  /** No new clients. */
  readonly refusing: boolean
}
