/** What the executor needs of the client whose units it carries out. */
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { PoolMode } from '../config/pool-schema.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { DatabaseContext } from './database-context.ts'
import type { Environment } from './environment.ts'
import type { ClientOutput } from './client-output.ts'
import type { SessionContext } from './session-context.ts'
import type { Statement } from './statement.ts'

export type Consistency = 'strong' | 'fresh' | 'session' | 'eventual'

export interface ExecutorClient {
  readonly user: string
  readonly poolMode: PoolMode
  /** Its statements are counted before they run. */
  readonly limited: boolean
  readonly output: ClientOutput
  readonly database: DatabaseContext
  readonly environment: Environment
  readonly context: SessionContext
  /** Shard for statements that any shard can answer. */
  readonly homeShard: number
  /** The part of the unit that was handed in is on its way; more of it may come. */
  unitEmitted(): void
  /** ReadyForQuery has gone out. */
  /** `failed`: an error was among its answers. */
  unitDone(failed: boolean): void
  copyIn(): void
  copyEnded(): void
  /** The client reads slower than the server writes. */
  serverMustPause(server: ServerConnection): void
  /** The server takes more bytes again. */
  serverDrained(): void
  /** A Parse of the client's own failed or was never run. */
  parseDropped(statement: Statement): void
  /** A Bind of the statement was never run. */
  bindDropped(statement: Statement): void
  /** DISCARD ALL or DEALLOCATE ALL. */
  statementsGone(): void
  hasStatement(name: string): boolean
  /** Forgets one of the client's statements, or all (null). Throws 26000. */
  deallocate(name: string | null): void
  /** Ends the client's connection without a word: it is in the middle of a message. */
  abort(): void
  /** Ends the client's connection with this error. */
  fatal(error: ShardwayError): void
}
