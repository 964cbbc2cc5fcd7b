/** One data process: takes clients from the control process, serves them, and tells its numbers when asked. */
import type { Socket } from 'node:net'
import { Cancels } from '../../pool/cancels.ts'
import type { Marks } from '../../pool/marks.ts'
import { Authentication } from '../auth/authentication.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { hasClientTimeouts } from '../config/pool-settings.ts'
import type { Config } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { createLog, type Log } from '../observe/log.ts'
import { VERSION } from '../observe/version.ts'
import { listenTls } from '../session/client-tls.ts'
import { DatabaseContext } from '../execute/database-context.ts'
import type { PoolServices } from '../execute/database-pools.ts'
import type { CancelKey, Environment, TlsContext } from '../execute/environment.ts'
import { SharedStatements } from '../execute/shared-statements.ts'
import type { Topology } from '../topology/topology.ts'
import type {
  ConsoleResult,
  ErrorFields,
  QuotaRefusal,
  Snapshot,
  StatementClaim,
  ToControl,
  Watermark,
  WorkerCommand,
  WorkerReport,
} from './messages.ts'
import { workerOfKey } from './cancel-keys.ts'
import { ControlRequests } from './control-requests.ts'
import { NOBODY_YET, NOTHING_YET, renewed } from './worker-authentication.ts'
import { WorkerClients } from './worker-clients.ts'
import { WorkerPools } from './worker-pools.ts'
import { workerReport } from './worker-report.ts'

/** PgBouncer's own grain of timeouts. */
const TICK_MS = 333

export interface WorkerOptions {
  readonly index: number
  readonly send: (message: ToControl) => void
  readonly marks: Marks
}

export class Worker implements Environment {
  readonly marks: Marks
  readonly cancels = new Cancels()
  readonly statements = new SharedStatements()
  readonly clients: WorkerClients
  readonly pools: WorkerPools
  readonly index: number
  authentication: Authentication = NOBODY_YET
  tls: TlsContext | null = null
  draining = false
  refusing = false
  readonly #send: (message: ToControl) => void
  readonly #databases = new Map<string, DatabaseContext>()
  readonly #watermarks = new Map<string, Watermark>()
  readonly #requests: ControlRequests
  readonly #tick: NodeJS.Timeout
  readonly #wakeups: (() => void)[] = []
  #config: Config | null = null
  #catalogs = new Map<string, Catalog>()
  #topology: Topology | null = null
  #materials = NOTHING_YET
  /** No other process serves clients of the same state. */
  #alone = true
  #log: Log
  #onDrained: (() => void) | null = null
  #paused: ReadonlySet<string> = new Set()
  #hasTimeouts = false

  constructor(options: WorkerOptions) {
    this.index = options.index
    this.marks = options.marks
    this.#send = options.send
    this.#requests = new ControlRequests(options.send)
    this.clients = new WorkerClients({
      index: options.index,
      environment: this,
      send: options.send,
      onGone: () => this.#endWhenDrained(),
    })
    this.pools = new WorkerPools({
      index: options.index,
      config: () => this.config,
      database: name => this.#databases.get(name),
      send: options.send,
    })
    this.#log = createLog({ level: 'info', version: VERSION })
    this.#tick = setInterval(() => this.#onTick(), TICK_MS)
  }

  get config(): Config {
    if (this.#config === null) throw new ShardwayError('not_ready', '57P03', 'the proxy is starting up')
    return this.#config
  }

  get databases(): Iterable<DatabaseContext> {
    return this.#databases.values()
  }

  // What the control process says

  apply(snapshot: Snapshot): void {
    if (snapshot.materials !== undefined) this.#materials = snapshot.materials
    if (snapshot.config !== undefined) this.#configure(snapshot.config)
    for (const catalog of snapshot.catalogs ?? []) this.#catalogs.set(catalog.database, catalog)
    if (snapshot.topology !== undefined) this.#topology = snapshot.topology
    if (snapshot.alone !== undefined) this.#setAlone(snapshot.alone)
    if (this.#config === null) return
    for (const database of this.#config.databases) {
      let context = this.#databases.get(database.name)
      if (context === undefined) {
        context = new DatabaseContext(this.#config, database, this.#poolServices(), this.statements)
        context.setPaused(this.#paused.has(database.name))
        this.#databases.set(database.name, context)
      }
      const topology = this.#topology?.databases.find(one => one.name === database.name) ?? null
      context.update(this.#config, database, topology, this.#catalogs.get(database.name) ?? null)
    }
    for (const [name, context] of this.#databases) {
      if (this.#config.databases.some(one => one.name === name)) continue
      this.#databases.delete(name)
      const error = new ShardwayError('database_removed', '57P01', 'database removed')
      this.clients.endAll(context, error)
      context.close(error)
    }
  }

  #setAlone(alone: boolean): void {
    this.#alone = alone
    this.marks.setAlone(alone)
  }

  #configure(config: Config): void {
    this.#config = config
    this.#log.level = config.log.level
    this.#hasTimeouts = hasClientTimeouts(config)
    this.authentication = renewed(this.authentication, config, this.#materials, this, () => this.#topology)
    void this.authentication.users.warm()
    this.tls = listenTls(this.#materials.listenTls)
  }

  #poolServices(): PoolServices {
    return {
      shareOf: pool => this.pools.shareOf(pool),
      wantPermit: (place, reserve) => this.pools.wantPermit(place, reserve),
      permitBack: (place, reserve) => this.pools.permitBack(place, reserve),
      partOf: count => this.pools.partOf(count),
      wantShare: pool => this.#send({ type: 'want-share', pool }),
      suspect: (database, shard, address) => this.#send({ type: 'suspect', database, shard, address }),
      serverSecret: (database, user) => this.authentication.serverSecret(database, user),
      serverCa: () => this.#materials.serverCa,
    }
  }

  setWatermarks(watermarks: readonly Watermark[]): void {
    this.#watermarks.clear()
    for (const mark of watermarks) this.#watermarks.set(`${mark.database}|${mark.shard}|${mark.address}`, mark)
    for (const wake of this.#wakeups.splice(0)) wake()
  }

  addClient(socket: Socket, id: number, over: boolean): void {
    if (this.#config !== null) return this.clients.add(socket, id, over)
    socket.destroy()
    this.#send({ type: 'client-closed', id })
  }

  cancel(pid: number, secret: string): void {
    const owner = workerOfKey(pid)
    if (owner !== this.index) this.#send({ type: 'cancel', worker: owner, pid, secret })
    else if (!this.clients.cancel(pid, secret) && !this.#alone) this.#send({ type: 'cancel-elsewhere', pid, secret })
  }

  report(): WorkerReport {
    return workerReport(this)
  }

  command(command: WorkerCommand): void {
    if (command.kind === 'kill-client') return this.clients.kill(command.id)
    if (command.kind === 'kill') this.clients.killAll(command.database)
    for (const database of this.#databases.values()) {
      if (command.database !== null && command.database !== database.name) continue
      for (const pool of database.pools.values()) {
        if (command.kind === 'kill') pool.kill('KILL')
        else pool.reconnect()
      }
    }
  }

  /** What PAUSE and KILL hold, all of it. */
  pause(databases: readonly string[]): void {
    this.#paused = new Set(databases)
    for (const database of this.#databases.values()) database.setPaused(this.#paused.has(database.name))
  }

  answer(request: number, result: ConsoleResult | null, error: string | null, fields?: ErrorFields): void {
    this.#requests.answer(request, result, error, fields)
  }

  catalogRenewed(request: number): void {
    this.#requests.catalogRenewed(request)
  }

  /** `patient`: clients stay as long as they like. */
  drain(patient: boolean, onDrained: () => void): void {
    this.refusing = true
    this.draining = !patient
    this.#onDrained = onDrained
    if (!patient) this.clients.drain()
    this.#endWhenDrained()
  }

  #endWhenDrained(): void {
    if (this.clients.sessions.size > 0 || this.#onDrained === null) return
    const done = this.#onDrained
    this.#onDrained = null
    clearInterval(this.#tick)
    for (const database of this.#databases.values()) {
      database.close(new ShardwayError('shutting_down', '57P01', 'the proxy is shutting down'))
    }
    done()
  }

  #onTick(): void {
    const now = nowUs()
    for (const database of this.#databases.values()) database.tick(now)
    if (this.#hasTimeouts) this.clients.tick(now)
  }

  // What sessions ask

  database(name: string): DatabaseContext | null {
    return this.#databases.get(name) ?? null
  }

  watermark(database: string, shard: string, address: string): Watermark | undefined {
    return this.#watermarks.get(`${database}|${shard}|${address}`)
  }

  whenWatermarks(callback: () => void): void {
    this.#wakeups.push(callback)
  }

  catalogChanged(database: string, callback: () => void): void {
    this.#requests.catalogChanged(database, callback)
  }

  console(sql: string, user: string, alias: string, callback: (result: ConsoleResult | Error) => void): void {
    this.#requests.console(sql, user, alias, callback)
  }

  askStatements(claim: StatementClaim, callback: (refusal: QuotaRefusal | null) => void): void {
    this.#requests.statements(claim, callback)
  }

  statementsAnswered(request: number, refusal: QuotaRefusal | null): void {
    this.#requests.statementsAnswered(request, refusal)
  }

  statementsDone(user: string, database: string): void {
    this.#send({ type: 'statements-done', user, database })
  }

  newCancelKey(secretBytes: number): CancelKey {
    return this.clients.newCancelKey(secretBytes)
  }

  logWarning(message: string, fields: Record<string, unknown>): void {
    this.#log.warn(fields, message)
  }
}
