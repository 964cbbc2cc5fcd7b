/** One real Postgres server: its folder, its process, and what can be done to it. */
import { chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type QueryResult } from 'pg'
import { type Binaries, binariesEnvironment } from './binaries.ts'
import { makePrivateFolder } from './run-as.ts'
import { plainEnvironment, type Supervised, supervisor } from './supervisor.ts'
import { APP, SUPERUSER, type Template } from './template.ts'
import { GiveUp, waitFor } from './wait.ts'

export interface ServerOptions {
  readonly name: string
  readonly binaries: Binaries
  readonly template: Template
  /** Folder of this server alone: `conf`, `data` and `log` in it. */
  readonly folder: string
  readonly port: number
  /** False: no fsync. A crash of the machine would lose data, a crash of the server does not. */
  readonly durable: boolean
  /** Stopped in an orderly way when the launcher ends, instead of killed. */
  readonly kept: boolean
  readonly maxConnections: number
  /** Further lines of postgresql.conf; they win. */
  readonly settings: Readonly<Record<string, string>>
  /** Lines of pg_hba.conf that come first. */
  readonly hba: readonly string[]
}

export interface Login {
  readonly user?: string
  readonly password?: string
  readonly database?: string
}

export class PgServer {
  readonly name: string
  readonly port: number
  readonly host = '127.0.0.1'
  readonly binaries: Binaries
  readonly dataFolder: string
  readonly logPath: string
  readonly #options: ServerOptions
  #process: Supervised | undefined
  #frozen = false

  constructor(options: ServerOptions) {
    this.name = options.name
    this.port = options.port
    this.binaries = options.binaries
    this.dataFolder = join(options.folder, 'data')
    this.logPath = join(options.folder, 'log')
    this.#options = options
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exit() === undefined
  }

  get frozen(): boolean {
    return this.#frozen
  }

  /** Of the postmaster; 0 when it does not run. */
  get pid(): number {
    return this.running ? (this.#process?.pid ?? 0) : 0
  }

  /** The superuser's login: for control, never through the proxy. */
  get superuser(): { readonly user: string; readonly password: string } {
    return { user: SUPERUSER, password: this.#options.template.superuserPassword }
  }

  url(login: Login = {}): string {
    const { user, password, database } = this.#login(login)
    return `postgres://${user}:${encodeURIComponent(password)}@${this.host}:${this.port}/${database}`
  }

  /**
   * Configuration lies outside the data folder: a copy or a rewind of the data brings no other server's port with it.
   * What belongs to the data (primary_conninfo) stands in postgresql.auto.conf, where ALTER SYSTEM finds it.
   */
  writeConfiguration(): void {
    const { folder, port, durable, maxConnections, settings, hba, binaries } = this.#options
    makePrivateFolder(folder, binaries.runAs)
    const conf = join(folder, 'conf')
    makePrivateFolder(conf, binaries.runAs)
    const lines: Record<string, string> = {
      data_directory: this.dataFolder,
      hba_file: join(conf, 'pg_hba.conf'),
      ident_file: join(conf, 'pg_ident.conf'),
      listen_addresses: this.host,
      port: String(port),
      unix_socket_directories: '',
      max_connections: String(maxConnections),
      shared_buffers: '32MB',
      dynamic_shared_memory_type: 'mmap',
      wal_level: 'logical',
      wal_log_hints: 'on',
      max_prepared_transactions: '100',
      max_wal_senders: '16',
      max_replication_slots: '32',
      wal_keep_size: '256MB',
      wal_retrieve_retry_interval: '200ms',
      wal_receiver_status_interval: '1s',
      hot_standby: 'on',
      hot_standby_feedback: 'on',
      fsync: durable ? 'on' : 'off',
      password_encryption: 'scram-sha-256',
      // Names the processes of a test run in `ps`, where its leak check finds them.
      cluster_name: process.env['SHARDWAY_TEST_RUN'] ?? 'shardway',
      log_timezone: 'UTC',
      timezone: 'UTC',
      lc_messages: 'C',
      log_line_prefix: '%m [%p] %q%u@%d ',
      ...settings,
    }
    const quoted = Object.entries(lines).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`)
    this.#write(join(conf, 'postgresql.conf'), quoted)
    this.#write(join(conf, 'pg_ident.conf'), [])
    this.#write(join(conf, 'pg_hba.conf'), [
      ...hba,
      'host all all 127.0.0.1/32 scram-sha-256',
      'host replication all 127.0.0.1/32 scram-sha-256',
    ])
  }

  /** Starts the server and waits until it takes connections. */
  async start(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.running) return
    const { binaries, kept } = this.#options
    // A killed server's file would look like a started one's.
    const pidFile = join(this.dataFolder, 'postmaster.pid')
    const launched = await supervisor().start(join(binaries.bin, 'postgres'), {
      args: ['-D', this.dataFolder, '-c', `config_file=${join(this.#options.folder, 'conf', 'postgresql.conf')}`],
      env: { ...plainEnvironment(), ...binariesEnvironment(binaries) },
      cwd: this.dataFolder,
      runAs: binaries.runAs,
      log: this.logPath,
      stop: kept
        ? { signal: 'SIGINT', graceMs: 10_000, order: existsSync(join(this.dataFolder, 'standby.signal')) ? 2 : 1 }
        : { signal: 'SIGQUIT', graceMs: 2000, order: 1 },
    })
    this.#process = launched
    this.#frozen = false
    await waitFor(
      `Postgres ${this.name} to start on port ${this.port}`,
      () => {
        if (launched.exit() !== undefined) {
          throw new GiveUp(
            `Postgres ${this.name} ended while starting; its log (${this.logPath}) ends with:\n${this.logTail()}`,
          )
        }
        const lines = readFileSync(pidFile, 'utf8').split('\n')
        return Number(lines[0]) === launched.pid && ['ready', 'standby'].includes(lines[7]?.trim() ?? '')
      },
      { timeoutMs: options.timeoutMs ?? 60_000, everyMs: 15 },
    )
    await waitFor(
      `Postgres ${this.name} to answer on port ${this.port}`,
      async () => (await this.query('select 1')).rowCount === 1,
    )
  }

  /** `fast` ends sessions and writes a checkpoint, `immediate` is a crash with an orderly exit. */
  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const current = this.#process
    if (current === undefined || current.exit() !== undefined) return
    if (this.#frozen) await this.thaw()
    await current.control(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    const ended = await Promise.race([current.exited.then(() => true), timeout(mode === 'fast' ? 30_000 : 5000)])
    if (!ended) await current.control('kill')
  }

  /** kill -9 of the postmaster and of everything below it. Works on a frozen server too. */
  async kill(): Promise<void> {
    await this.#process?.control('kill')
    this.#frozen = false
  }

  /** SIGSTOP to all its processes: connections stay open and nothing answers. */
  async freeze(): Promise<void> {
    await this.#process?.control('freeze')
    this.#frozen = true
  }

  async thaw(): Promise<void> {
    await this.#process?.control('thaw')
    this.#frozen = false
  }

  async restart(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.stop(mode)
    await this.start()
  }

  /** A connection that the caller ends. Without options: the superuser in database `app`. */
  async connect(login: Login = {}): Promise<Client> {
    const client = new Client({
      host: this.host,
      port: this.port,
      ...this.#login(login),
      connectionTimeoutMillis: 10_000,
    })
    // A server that is killed ends its connections; whoever waits for an answer hears of it there.
    client.on('error', () => {})
    try {
      await client.connect()
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    return client
  }

  /** One statement over a connection of its own. */
  async query(sql: string, parameters: readonly unknown[] = [], login: Login = {}): Promise<QueryResult> {
    const client = await this.connect(login)
    try {
      return parameters.length === 0 ? await client.query(sql) : await client.query(sql, [...parameters])
    } finally {
      await client.end().catch(() => {})
    }
  }

  async isPrimary(): Promise<boolean> {
    const { rows } = await this.query('select pg_is_in_recovery() as standby')
    return !(rows[0] as { standby: boolean }).standby
  }

  /** Makes the data folder that of a standby which streams from there. The server must be down. */
  becomeStandby(primaryConninfo: string): void {
    this.#write(join(this.dataFolder, 'standby.signal'), [])
    this.#write(join(this.dataFolder, 'postgresql.auto.conf'), [
      `primary_conninfo = '${primaryConninfo.replaceAll("'", "''")}'`,
      `recovery_target_timeline = 'latest'`,
    ])
  }

  logTail(lines = 15): string {
    if (!existsSync(this.logPath)) return ''
    return readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** The server must be down. */
  removeData(): Promise<void> {
    return supervisor().discard(this.dataFolder)
  }

  #login(login: Login): Required<Login> {
    const password = login.user === undefined ? this.superuser.password : APP
    return { user: SUPERUSER, password, database: APP, ...login }
  }

  #write(path: string, lines: readonly string[]): void {
    const { runAs } = this.#options.binaries
    writeFileSync(path, lines.map(line => `${line}\n`).join(''), { mode: 0o600 })
    chmodSync(path, 0o600)
    if (runAs !== null) chownSync(path, runAs.uid, runAs.gid)
  }
}

function timeout(ms: number): Promise<false> {
  return new Promise(resolve => {
    setTimeout(() => resolve(false), ms).unref()
  })
}
