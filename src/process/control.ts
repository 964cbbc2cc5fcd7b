/** The control process: owns topology, catalogs and state; its workers serve the clients. See docs/internals/processes.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadedConfig, loadConfigWithNotes } from '../config/load.ts'
import type { Materials } from '../config/materials.ts'
import type { Config } from '../config/schema.ts'
import type { Log } from '../observe/log.ts'
import { VERSION } from '../observe/version.ts'
import { Acceptor } from './acceptor.ts'
import { Barrier } from './barrier.ts'
import { ControlConsole } from './control-console.ts'
import { Succession } from './handover/succession.ts'
import { Draining } from './draining.ts'
import { HttpServer } from './http.ts'
import { onSignals } from './lifecycle.ts'
import { workerOfKey } from './cancel-keys.ts'
import type { ToControl, ToWorker } from './messages.ts'
import { Publisher } from './publisher.ts'
import { PoolKeeper } from './pool-keeper.ts'
import { logFixed, logReloadFailure, notesOf, reloaded, withWorkers, workersOf } from './reload.ts'
import { refuseUnsafe } from './unsafe-changes.ts'
import { WorkerRequests } from './reports.ts'
import { Supervisor, type WorkerProcess } from './workers.ts'

/** An empty snapshot through the barrier now and then: a worker that hangs is found without a change of topology. */
const HEARTBEAT_MS = 1000

export class Control {
  readonly #configPath: string
  readonly #log: Log
  readonly #workers: number
  #config: Config
  #materials: Materials
  readonly #meshFolder: string
  readonly #supervisor: Supervisor
  readonly #barrier: Barrier
  readonly #acceptor: Acceptor
  readonly #http: HttpServer
  readonly #pools: PoolKeeper
  readonly #requests: WorkerRequests
  readonly #console: ControlConsole
  readonly #publisher: Publisher
  readonly #succession: Succession
  readonly #draining: Draining
  #heartbeat: NodeJS.Timeout | null = null
  #stopping = false
  #restarts = 0
  #finish: (exitCode: number) => void = () => undefined

  constructor(configPath: string, { config, materials }: LoadedConfig, log: Log) {
    this.#configPath = configPath
    this.#materials = materials
    this.#log = log
    this.#workers = workersOf(config)
    this.#config = withWorkers(config, this.#workers)
    // Socket paths are short of room (108 bytes): the system's folder, not the config's. mkdtemp makes it 0700.
    this.#meshFolder = mkdtempSync(join(tmpdir(), 'shardway-'))
    this.#supervisor = new Supervisor({
      count: this.#workers,
      entry: new URL('./worker-main.js', import.meta.url),
      meshFolder: this.#meshFolder,
      onMessage: (worker, message) => this.#receive(worker, message),
      onExit: (worker, how, expected) => this.#workerGone(worker, how, expected),
    })
    const serials = (): number[] => this.#supervisor.ready().map(worker => worker.serial)
    this.#draining = new Draining({
      workers: serials,
      broadcast: message => this.#supervisor.broadcast(message),
      drained: () => this.stop(0),
    })
    this.#barrier = new Barrier({
      send: (serial, sequence, snapshot) => this.#supervisor.send(serial, { type: 'snapshot', sequence, snapshot }),
      expel: serial => {
        log.error({ event: 'worker-expelled', serial }, 'a worker missed the barrier and is killed')
        this.#supervisor.kill(serial)
      },
    })
    this.#acceptor = new Acceptor({
      ...config.listen,
      reusePort: config.listen.reuse_port,
      maxClients: () => this.#config.pool.max_client_conn,
      workers: serials,
      hand: (serial, id, over, socket) => this.#supervisor.send(serial, { type: 'client', id, over }, socket),
      failed: error => log.error({ event: 'accept-failed', error }, 'a client could not be accepted'),
    })
    this.#pools = new PoolKeeper({
      workers: this.#workers,
      config: this.#config,
      sendIndex: (index, message) => this.#sendIndex(index, message),
      sendSerial: (serial, message) => this.#supervisor.send(serial, message),
      broadcast: message => this.#supervisor.broadcast(message),
      draining: () => this.#draining.begun,
    })
    this.#requests = new WorkerRequests((serial, message) => this.#supervisor.send(serial, message), serials)
    this.#publisher = new Publisher({
      log,
      config: () => this.#config,
      materials: () => this.#materials,
      publish: snapshot => this.#barrier.publish(snapshot),
      watermarks: watermarks => this.#supervisor.broadcast({ type: 'watermarks', watermarks }),
      upToDate: since =>
        this.#supervisor.ready().filter(worker => this.#barrier.acknowledged(worker.serial) >= since).length,
      sequence: () => this.#barrier.sequence,
      workers: this.#workers,
      draining: () => this.#draining.begun,
    })
    this.#console = new ControlConsole({
      log,
      configPath,
      config: () => this.#config,
      publisher: this.#publisher,
      requests: this.#requests,
      workers: serials,
      workerOf: id => this.#acceptor.workerOf(id),
      restarts: () => this.#restarts,
      clients: () => this.#acceptor.clients,
      refused: () => this.#acceptor.refused,
      reload: () => this.reload(),
      pools: this.#pools,
      drain: patient => this.drain(patient),
      stop: () => this.stop(0),
    })
    this.#http = new HttpServer({
      ...config.http,
      reusePort: config.listen.reuse_port,
      notReady: () => this.#publisher.notReady(),
      metrics: () => this.#console.metrics(),
      topology: () => this.#console.topologyView(),
      dashboard: new URL('../dashboard/', import.meta.url),
      failed: error => log.error({ event: 'http-failed', error }, 'an HTTP request failed'),
    })
    this.#succession = new Succession({
      statePath: config.state.path,
      reusePort: config.listen.reuse_port,
      log,
      alone: alone => this.#barrier.publish({ alone }),
      leaveState: () => this.#publisher.leaveState(),
      keepState: () => this.#publisher.keepState(),
      start: looking => this.#start(looking),
      listen: async () => {
        await this.#acceptor.listen()
        await this.#http.listen()
      },
      notReady: () => this.#publisher.notReady(),
      leave: () => {
        this.#acceptor.leave()
        this.#http.close()
        this.drain(true)
      },
      cancel: (pid, secret) => this.#cancel(workerOfKey(pid), pid, secret),
    })
  }

  /** Resolves with the exit code when everything has ended. Rejects when it cannot start; nothing is left behind then. */
  async run(): Promise<number> {
    const finished = new Promise<number>(resolve => {
      this.#finish = resolve
    })
    try {
      await this.#succession.start()
    } catch (error) {
      await this.#close()
      throw error
    }
    const offSignals = onSignals({
      drain: () => this.drain(),
      stop: code => this.stop(code),
      reload: () => {
        this.reload().catch((error: unknown) => logReloadFailure(this.#log, this.#configPath, error))
      },
    })
    this.#log.info(
      { event: 'started', port: this.#acceptor.port, 'http.port': this.#http.port, workers: this.#workers },
      `Shardway ${VERSION} listens on ${this.#config.listen.host}:${this.#acceptor.port}, http on ${this.#config.http.host}:${this.#http.port}`,
    )
    const code = await finished
    offSignals()
    await this.#close()
    this.#log.info({ event: 'stopped', code }, 'Shardway has ended')
    return code
  }

  async #start(looking: boolean): Promise<void> {
    await this.#publisher.start(looking)
    this.#supervisor.start()
    this.#heartbeat = setInterval(() => void this.#barrier.publish({}), HEARTBEAT_MS)
  }

  /** No new database clients; ends when the last transaction is done, or (`patient`) when the last client has gone. */
  drain(patient = false): void {
    if (!this.#draining.begin(patient)) return
    this.#log.info({ event: 'draining' }, `draining: ${patient ? 'clients' : 'running transactions'} may finish`)
    this.#acceptor.drain()
    this.#draining.look()
  }

  stop(exitCode: number): void {
    this.#stopping = true
    this.#finish(exitCode)
  }

  /** @throws ConfigError, and then nothing has changed. */
  async reload(): Promise<void> {
    const loaded = loadConfigWithNotes(this.#configPath)
    const { config } = loaded
    for (const note of notesOf(loaded)) this.#log.warn({ event: 'config-note' }, note)
    refuseUnsafe(this.#configPath, this.#config, config, this.#publisher.catalogs())
    logFixed(this.#log, this.#configPath, this.#config, config)
    this.#config = reloaded(this.#config, config)
    this.#materials = loaded.materials
    this.#log.level = config.log.level
    this.#pools.reconfigure(this.#config)
    await this.#publisher.reconfigure(this.#config)
    this.#log.info({ event: 'reloaded' }, `${this.#configPath} reloaded`)
  }

  #sendIndex(index: number, message: ToWorker): void {
    const worker = this.#supervisor.byIndex(index)
    if (worker !== undefined) this.#supervisor.send(worker.serial, message)
  }

  #cancel(index: number, pid: number, secret: string): void {
    const worker = this.#supervisor.byIndex(index)
    if (worker === undefined) this.#succession.cancelElsewhere(pid, secret)
    else this.#supervisor.send(worker.serial, { type: 'cancel', pid, secret })
  }

  #receive(worker: WorkerProcess, message: ToControl): void {
    switch (message.type) {
      case 'ready':
        return this.#workerReady(worker)
      case 'acknowledge':
        return this.#barrier.acknowledge(worker.serial, message.sequence)
      case 'client-closed':
        this.#pools.clientClosed(message.id)
        return this.#acceptor.clientClosed(worker.serial, message.id)
      case 'cancel':
        return this.#cancel(message.worker, message.pid, message.secret)
      case 'cancel-elsewhere':
        return this.#succession.cancelElsewhere(message.pid, message.secret)
      case 'report':
      case 'done':
        return this.#requests.answered(worker.serial, message)
      case 'console':
        void this.#console.answer(message).then(answer => this.#supervisor.send(worker.serial, answer))
        return
      case 'catalog-changed':
        void this.#publisher
          .renewCatalog(message.database)
          .then(() => this.#supervisor.send(worker.serial, { type: 'catalog-renewed', request: message.request }))
        return
      case 'suspect':
        return this.#publisher.suspect(message.database, message.shard, message.address)
      case 'drained':
        return this.#draining.workerDrained(worker.serial)
      default:
        return this.#pools.receive(worker, message)
    }
  }

  /** Everything first, then clients: the messages to one worker keep their order. */
  #workerReady(worker: WorkerProcess): void {
    this.#barrier.join(worker.serial)
    this.#supervisor.send(worker.serial, { type: 'watermarks', watermarks: this.#publisher.watermarks() })
    this.#pools.workerReady(worker)
    if (this.#draining.message !== null) this.#supervisor.send(worker.serial, this.#draining.message)
    this.#log.info({ event: 'worker-ready', worker: worker.index, pid: worker.pid }, `worker ${worker.index} is ready`)
    this.#acceptor.workerReady()
  }

  #workerGone(worker: WorkerProcess, how: string, expected: boolean): void {
    this.#barrier.leave(worker.serial)
    this.#acceptor.workerGone(worker.serial)
    this.#requests.workerGone(worker.serial)
    this.#pools.workerGone(worker)
    if (expected || this.#stopping) return
    this.#restarts++
    this.#log.error(
      { event: 'worker-gone', worker: worker.index, pid: worker.pid, how },
      `worker ${worker.index} ended: ${how}`,
    )
    this.#draining.look()
  }

  async #close(): Promise<void> {
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat)
    this.#acceptor.close()
    this.#http.close()
    this.#barrier.close()
    this.#console.close()
    this.#pools.close()
    await this.#supervisor.stop()
    await this.#publisher.stop()
    // The state is another's from here on.
    this.#succession.close()
    rmSync(this.#meshFolder, { recursive: true, force: true })
  }
}
