/** One data process: takes clients from the control process, serves them, and tells its numbers when asked. */
import { timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Cancels } from '../../pool/cancels.ts'
import type { Marks } from '../../pool/marks.ts'
import { Users } from '../auth/users.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Config } from '../config/schema.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { nowUs } from '../observe/clock.ts'
import { createLog, type Log } from '../observe/log.ts'
import { VERSION } from '../observe/version.ts'
import { ClientLogin, isConsole, type LoggedIn } from '../session/client-login.ts'
import { continueWith, listenTls } from '../session/client-tls.ts'
import { secretBytes } from '../session/negotiate.ts'
import { ConsoleSession } from '../session/console-session.ts'
import { DatabaseContext, type PoolServices } from '../execute/database-context.ts'
import type { CancelKey, Environment, TlsContext } from '../execute/environment.ts'
import type { Session } from '../session/session.ts'
import { SharedStatements } from '../execute/shared-statements.ts'
import { welcome } from '../session/welcome.ts'
import type { Topology } from '../topology/topology.ts'
import type {
  ConsoleResult,
  ErrorFields,
  Snapshot,
  ToControl,
  Watermark,
  WorkerCommand,
  WorkerReport,
} from './messages.ts'
import { newCancelKey, workerOfKey } from './cancel-keys.ts'
import { ControlRequests } from './control-requests.ts'
import { initialShare } from './shares.ts'
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
  readonly sessions = new Map<number, Session>()
  readonly index: number
  users: Users
  tls: TlsContext | null = null
  loginClients = 0
  draining = false
  readonly #send: (message: ToControl) => void
  readonly #databases = new Map<string, DatabaseContext>()
  readonly #watermarks = new Map<string, Watermark>()
  readonly #byKey = new Map<number, Session>()
  readonly #requests: ControlRequests
  readonly #shares = new Map<string, number>()
  readonly #tick: NodeJS.Timeout
  readonly #wakeups: (() => void)[] = []
  #config: Config | null = null
  #catalogs = new Map<string, Catalog>()
  #topology: Topology | null = null
  #serverCa: string | undefined
  #log: Log
  #onDrained: (() => void) | null = null

  constructor(options: WorkerOptions) {
    this.index = options.index
    this.marks = options.marks
    this.#send = options.send
    this.#requests = new ControlRequests(options.send)
    this.users = new Users({ users: [] })
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
    if (snapshot.config !== undefined) this.#configure(snapshot.config)
    for (const catalog of snapshot.catalogs ?? []) this.#catalogs.set(catalog.database, catalog)
    if (snapshot.topology !== undefined) this.#topology = snapshot.topology
    if (this.#config === null) return
    for (const database of this.#config.databases) {
      let context = this.#databases.get(database.name)
      if (context === undefined) {
        context = new DatabaseContext(this.#config, database, this.#poolServices())
        this.#databases.set(database.name, context)
      }
      const topology = this.#topology?.databases.find(one => one.name === database.name) ?? null
      context.update(this.#config, database, topology, this.#catalogs.get(database.name) ?? null)
    }
    for (const [name, context] of this.#databases) {
      if (this.#config.databases.some(one => one.name === name)) continue
      context.close(new ShardwayError('database_removed', '57P01', 'database removed'))
      this.#databases.delete(name)
    }
  }

  #configure(config: Config): void {
    this.#config = config
    this.#log.level = config.log.level
    this.users = new Users(config)
    void this.users.warm()
    this.#serverCa = config.server.tls.ca === undefined ? undefined : readFileSync(config.server.tls.ca, 'utf8')
    this.tls = listenTls(config.listen.tls)
  }

  #poolServices(): PoolServices {
    return {
      shareOf: pool => this.#shareOf(pool),
      wantShare: pool => this.#send({ type: 'want-share', pool }),
      suspect: (database, shard, address) => this.#send({ type: 'suspect', database, shard, address }),
      plainPassword: user => this.users.plainPassword(user),
      serverCa: () => this.#serverCa,
    }
  }

  setWatermarks(watermarks: readonly Watermark[]): void {
    this.#watermarks.clear()
    for (const mark of watermarks) this.#watermarks.set(`${mark.database}|${mark.shard}|${mark.address}`, mark)
    for (const wake of this.#wakeups.splice(0)) wake()
  }

  addClient(socket: Socket, id: number, over: boolean): void {
    socket.setNoDelay(true)
    this.loginClients++
    const leave = () => this.#send({ type: 'client-closed', id })
    if (this.#config === null) {
      this.loginClients--
      socket.destroy()
      return leave()
    }
    new ClientLogin({
      socket,
      environment: this,
      over,
      onLoggedIn: login => this.#loggedIn(login, id, leave),
      onClosed: () => {
        this.loginClients--
        leave()
      },
    })
    socket.resume()
  }

  #loggedIn(login: LoggedIn, id: number, leave: () => void): void {
    if (isConsole(login.database)) {
      this.loginClients--
      const console = new ConsoleSession(login.socket, this, login.user, login.database, leave)
      continueWith(console.socket, login.rest)
      return
    }
    const key = this.newCancelKey(secretBytes(login.protocol))
    welcome(this, login, id, key, {
      onSession: session => {
        this.loginClients--
        this.sessions.set(id, session)
        this.#byKey.set(key.pid, session)
        continueWith(session.socket, login.rest)
        if (this.draining) session.drain()
      },
      onClosed: session => {
        if (session === null) this.loginClients--
        this.sessions.delete(id)
        this.#byKey.delete(key.pid)
        leave()
        this.#endWhenDrained()
      },
    })
  }

  cancel(pid: number, secret: string): void {
    const owner = workerOfKey(pid)
    if (owner !== this.index) return this.#send({ type: 'cancel', worker: owner, pid, secret })
    const session = this.#byKey.get(pid)
    const given = Buffer.from(secret, 'hex')
    if (session === undefined || given.length !== session.key.secret.length) return
    if (timingSafeEqual(given, session.key.secret)) session.executor.cancel()
  }

  report(): WorkerReport {
    return workerReport(this)
  }

  share(pool: string, size: number): void {
    this.#shares.set(pool, size)
    this.#pool(pool)?.setSize(size)
  }

  /** What this worker may open of a pool; it may have lent some of a pool that it never used. */
  #shareOf(pool: string): number {
    const held = this.#shares.get(pool)
    if (held !== undefined) return held
    const user = this.config.users.find(one => one.name === pool.split('|')[1])
    const total = user?.pool?.default_pool_size ?? this.config.pool.default_pool_size
    return initialShare(total, this.config.listen.workers ?? 1, this.index)
  }

  lend(pool: string): number {
    const size = this.#shareOf(pool)
    const one = this.#pool(pool)
    const spare = one === undefined || (one.waiting === 0 && one.active + one.connecting < size)
    if (size <= 1 || !spare) return size
    this.#shares.set(pool, size - 1)
    one?.setSize(size - 1)
    return size - 1
  }

  #pool(name: string) {
    return this.#databases.get(name.slice(0, name.indexOf('|')))?.pools.get(name)
  }

  command(command: WorkerCommand): void {
    if (command.kind === 'kill-client') {
      const session = this.sessions.get(command.id)
      session?.fatal(new ShardwayError('killed', '57P01', 'terminating connection due to administrator command'))
      return
    }
    for (const database of this.#databases.values()) {
      if (command.database !== null && command.database !== database.name) continue
      for (const pool of database.pools.values()) pool.reconnect()
    }
  }

  answer(request: number, result: ConsoleResult | null, error: string | null, fields?: ErrorFields): void {
    this.#requests.answer(request, result, error, fields)
  }

  catalogRenewed(request: number): void {
    this.#requests.catalogRenewed(request)
  }

  drain(onDrained: () => void): void {
    this.draining = true
    this.#onDrained = onDrained
    for (const session of [...this.sessions.values()]) session.drain()
    this.#endWhenDrained()
  }

  #endWhenDrained(): void {
    if (!this.draining || this.sessions.size > 0 || this.#onDrained === null) return
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

  newCancelKey(secretBytes: number): CancelKey {
    return newCancelKey(this.index, secretBytes, pid => this.#byKey.has(pid))
  }

  logWarning(message: string, fields: Record<string, unknown>): void {
    this.#log.warn(fields, message)
  }
}
