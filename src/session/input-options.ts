/** What a client's input works with. */
import type { Socket } from 'node:net'
import type { Executor } from '../execute/executor.ts'
import type { DatabaseStats } from '../observe/database-stats.ts'
import type { Steps } from './steps.ts'

export interface ClientInputOptions {
  readonly socket: Socket
  readonly steps: Steps
  readonly executor: Executor
  readonly stats: DatabaseStats
  /** [scatter] max_routed_statement. */
  readonly maxFrameBytes: number
  /** Ends the connection. */
  readonly failed: (error: unknown) => void
}
