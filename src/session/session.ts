/** One client after login: what its input, its executor and its steps share. docs/internals/session.md draws it. */
import type { Socket } from 'node:net'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { Settings } from '../../pool/server-state.ts'
import type { Plan } from '../../router/plan.ts'
import type { Router } from '../../router/router.ts'
import type { PoolMode } from '../config/pool-schema.ts'
import { errorOf } from '../errors/codes.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import type { ExecutorClient } from '../execute/client.ts'
import { Executor } from '../execute/executor.ts'
import { outcomeUnknown } from '../execute/lost.ts'
import { ClientClock } from './client-clock.ts'
import type { StatementLimits } from './client-statements.ts'
import { ClientInput } from './client-input.ts'
import { lastWord } from './last-word.ts'
import { overdue } from './timeouts.ts'
import type { DatabaseContext } from '../execute/database-context.ts'
import type { CancelKey, Environment } from '../execute/environment.ts'
import { SessionContext } from '../execute/session-context.ts'
import { ClientOutput } from '../execute/client-output.ts'
import type { Statement } from '../execute/statement.ts'
import type { SharedStatements } from '../execute/shared-statements.ts'
import { type StepSources, Steps } from './steps.ts'

function ignore(): void {}

export interface SessionOptionsIn {
  readonly id: number
  readonly socket: Socket
  readonly user: string
  readonly database: DatabaseContext
  readonly environment: Environment
  readonly settings: Settings
  /** shardway.NAME of its startup packet. */
  readonly options: ReadonlyMap<string, string>
  readonly searchPath: readonly string[]
  /** standard_conforming_strings is off. */
  readonly escapes: boolean
  readonly key: CancelKey
  readonly homeShard: number
  readonly tls: string
  readonly connectedAtMs: number
  readonly onClosed: (session: Session) => void
}

export class Session implements ExecutorClient, StepSources {
  readonly id: number
  readonly user: string
  readonly database: DatabaseContext
  readonly environment: Environment
  readonly homeShard: number
  readonly key: CancelKey
  readonly output: ClientOutput
  readonly executor: Executor
  readonly socket: Socket
  readonly tls: string
  readonly connectedAtMs: number
  readonly context: SessionContext
  readonly steps: Steps
  readonly poolMode: PoolMode
  readonly #clock: ClientClock
  readonly #input: ClientInput
  readonly #onClosed: (session: Session) => void
  #pausedServer: ServerConnection | null = null
  #closed = false

  constructor(options: SessionOptionsIn) {
    this.id = options.id
    this.user = options.user
    this.database = options.database
    this.environment = options.environment
    this.homeShard = options.homeShard
    this.key = options.key
    this.socket = options.socket
    this.tls = options.tls
    this.connectedAtMs = options.connectedAtMs
    this.#onClosed = options.onClosed
    this.output = new ClientOutput(options.socket)
    const { user, settings, searchPath, escapes } = options
    const { consistency } = options.environment.config.read
    this.context = new SessionContext({ user, settings, searchPath, consistency, escapes, options: options.options })
    this.steps = new Steps(this)
    this.poolMode = options.database.users.settingsOf(options.user).mode
    this.executor = new Executor(this)
    this.#clock = new ClientClock(this)
    this.#input = new ClientInput({
      socket: options.socket,
      steps: this.steps,
      executor: this.executor,
      stats: options.database.stats,
      maxFrameBytes: options.environment.config.scatter.max_routed_statement,
      failed: error => this.#failed(error),
    })
    options.socket.on('data', chunk => this.#input.push(chunk))
    const onDrain = () => this.#onDrain()
    this.output.onReleased = onDrain
    options.socket.on('drain', onDrain)
    options.socket.on('error', ignore) // 'close' follows
    options.socket.on('close', () => this.#onClose())
  }

  /** A unit, or a part of one, is with the executor. */
  get busy(): boolean {
    return this.#input.busy
  }

  get requestAtMs(): number {
    return this.#input.requestAtMs
  }

  get limited(): boolean {
    return this.database.users.isLimited(this.user)
  }

  get closed(): boolean {
    return this.#closed
  }

  get state(): 'active' | 'idle' | 'waiting' {
    if (this.executor.placement.waiting) return 'waiting'
    return this.executor.running !== null || this.executor.links.size > 0 ? 'active' : 'idle'
  }

  #failed(error: unknown): void {
    if (error instanceof ShardwayError) return this.fatal(error)
    this.environment.logWarning('internal error', { error: error instanceof Error ? error.stack : String(error) })
    this.fatal(new ShardwayError('internal', 'XX000', 'internal error of the proxy'))
  }

  // What the executor tells

  unitEmitted(): void {
    this.#input.partDone()
  }

  unitDone(failed: boolean): void {
    this.steps.unitDone(failed)
    if (this.executor.transaction.state === 'none') this.steps.transactionEnded()
    this.executor.notifications.flush()
    if (this.environment.draining) this.drain()
    this.#input.unitDone()
  }

  copyIn(): void {
    this.output.copyIn(true)
    this.#input.copyIn()
  }

  copyEnded(): void {
    this.output.copyIn(false)
    this.#input.copyEnded()
  }

  serverDrained(): void {
    this.#input.serverDrained()
  }

  serverMustPause(server: ServerConnection): void {
    if (this.#pausedServer !== null) return
    this.#pausedServer = server
    server.socket.pause()
  }

  #onDrain(): void {
    this.output.drained()
    this.#pausedServer?.socket.resume()
    this.#pausedServer = null
  }

  parseDropped(statement: Statement): void {
    this.steps.statements.dropped(statement)
  }

  bindDropped(statement: Statement): void {
    this.steps.bindDropped(statement)
  }

  statementsGone(): void {
    this.steps.statements.clear()
  }

  hasStatement(name: string): boolean {
    return this.steps.statements.has(name)
  }

  deallocate(name: string | null): void {
    const { statements } = this.steps
    if (name === null) return statements.clear()
    statements.lookUp(name)
    statements.forget(name)
  }

  /** The proxy shuts down: an idle client goes at once, others when their transaction is over. */
  drain(): void {
    const { running, transaction } = this.executor
    if (running === null && transaction.state === 'none' && this.output.holding === 0) {
      this.fatal(new ShardwayError('shutting_down', '57P01', 'the proxy is shutting down'))
    }
  }

  /** Looks whether the client ran into one of its timeouts, and ends it and its servers then. */
  tick(now: number): void {
    const name = overdue(this.#clock.read(now), this.database.users.settingsOf(this.user), now)
    if (name === null) return
    const error = errorOf(name)
    // What may be committed is never called failed.
    const unknown = this.executor.running?.mayCommit === true
    this.fatal(unknown ? outcomeUnknown(error.message) : error)
  }

  /** Ends the connection with this error as the last message. */
  fatal(error: ShardwayError): void {
    if (this.#closed) return
    this.database.stats.errors++
    for (const link of this.executor.links.all()) if (link.server.midRow) return this.abort()
    lastWord(this.socket, error)
    this.#onClose()
  }

  abort(): void {
    this.socket.destroy()
    this.#onClose()
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onDrain()
    this.#input.close()
    this.executor.close()
    this.steps.statements.clear()
    this.database.stats.bytesSent += this.output.bytes
    this.#onClosed(this)
  }

  // What steps ask

  get router(): Router {
    return this.database.router
  }

  get statementLimits(): StatementLimits {
    const { pool } = this.environment.config
    return { count: pool.max_client_prepared_statements, bytes: pool.max_client_prepared_bytes }
  }

  get blockSettings(): ReadonlySet<string> {
    return this.executor.transaction.settings
  }

  get shared(): SharedStatements {
    return this.environment.statements
  }

  refused(plan: Plan): void {
    const { refusal } = plan
    if (refusal === null) return
    throw new ShardwayError('not_supported', refusal.sqlstate, refusal.message, {
      hint: refusal.hint,
      position: this.router.refusalPosition(plan),
    })
  }
}
