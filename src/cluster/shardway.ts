/** Starts Shardway itself in front of a cluster. */
import { appendFileSync, chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Cluster } from './cluster.ts'
import { freePort } from './ports.ts'
import { projectRoot } from './project-root.ts'
import { makeTemporaryFolder } from './run-as.ts'
import { plainEnvironment, type Supervised, supervisor } from './supervisor.ts'
import { GiveUp, waitFor } from './wait.ts'

const KEPT_LINES = 20_000

/** A value of shardway.toml. */
export type TomlValue = string | number | boolean | readonly TomlValue[] | { readonly [name: string]: TomlValue }

export interface TableDeclaration {
  readonly name: string
  readonly key?: string
  readonly reference?: boolean
  readonly [option: string]: TomlValue | undefined
}

export interface ShardwayOptions {
  readonly cluster: Cluster
  readonly tables?: readonly TableDeclaration[]
  /** Default 1. */
  readonly workers?: number
  readonly port?: number
  readonly httpPort?: number
  /** Whole sections of the file, laid over the kit's own: `{ pool: { default_pool_size: 2 } }`. */
  readonly sections?: { readonly [section: string]: TomlValue }
  /** Laid over the kit's `[[databases]]` entry. */
  readonly database?: { readonly [name: string]: TomlValue }
  /** Without server_user: clients are on the servers who they are here. */
  readonly passThrough?: boolean
  /** Instead of the one user `app` (an admin, password `app`). */
  readonly users?: ReadonlyArray<{ readonly [name: string]: TomlValue }>
  /** Where shardway.toml, the state file and the log lie; absent: a temporary folder. */
  readonly folder?: string
  /** `folder` has a shardway.toml for these ports already, which is served as it is. */
  readonly keepConfig?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** What runs it; default: the Node of this process. */
  readonly node?: string
  readonly nodeArguments?: readonly string[]
  /** Default false: with SO_REUSEPORT, which not every Node has. */
  readonly reusePort?: boolean
  readonly readyTimeoutMs?: number
  /** Everything it writes is appended here too. */
  readonly logPath?: string
}

export interface LogRecord {
  readonly message?: string
  readonly [field: string]: unknown
}

/** The file's content for a cluster, as section 3 of the product's contract describes it. */
export function shardwayConfig(options: ShardwayOptions, port: number, httpPort: number): string {
  const { cluster } = options
  const database = {
    name: cluster.database,
    default_shard: cluster.shards[0]?.name ?? 's0',
    ...(options.passThrough === true ? {} : { server_user: cluster.user, server_password: cluster.password }),
    control_user: cluster.superuser.user,
    control_password: cluster.superuser.password,
    shards: cluster.shards.map(shard => ({
      name: shard.name,
      nodes: shard.nodes.map(node => node.address),
      ...(shard.nodes.some(node => node.address !== node.replicationAddress)
        ? { replication_addresses: shard.nodes.map(node => node.replicationAddress) }
        : {}),
      dbname: cluster.database,
    })),
    // An empty list would forbid the [[databases.tables]] that somebody appends to the file.
    ...(options.tables === undefined || options.tables.length === 0 ? {} : { tables: options.tables }),
    ...options.database,
  }
  return stringify({
    listen: {
      host: '127.0.0.1',
      port,
      workers: options.workers ?? 1,
      ...(options.reusePort === true ? { reuse_port: true } : {}),
    },
    http: { host: '127.0.0.1', port: httpPort },
    state: { store: 'file', path: 'shardway.state' },
    ...options.sections,
    users: options.users ?? [{ name: cluster.user, password: cluster.password, admin: true }],
    databases: [database],
  })
}

export class ShardwayProcess {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly httpPort: number
  readonly folder: string
  readonly configPath: string
  /** What it wrote last, both outputs. */
  readonly lines: string[] = []
  readonly #options: ShardwayOptions
  readonly #temporary: boolean
  #process: Supervised | undefined
  #rest = ''

  constructor(options: ShardwayOptions, folder: string, port: number, httpPort: number) {
    this.#options = options
    this.#temporary = options.folder === undefined
    this.folder = folder
    this.port = port
    this.httpPort = httpPort
    this.configPath = join(folder, 'shardway.toml')
  }

  get pid(): number {
    return this.running ? (this.#process?.pid ?? 0) : 0
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exit() === undefined
  }

  /** Resolves with the exit code when it ends, for whatever reason; null after a signal. */
  get ended(): Promise<number | null> {
    return this.#process?.exited.then(({ code }) => code) ?? Promise.resolve(null)
  }

  /** The log's JSON lines. */
  get logs(): readonly LogRecord[] {
    return this.lines.flatMap(line => {
      try {
        return [JSON.parse(line) as LogRecord]
      } catch {
        return []
      }
    })
  }

  url(login: { readonly user?: string; readonly password?: string; readonly database?: string } = {}): string {
    const { cluster } = this.#options
    const user = login.user ?? cluster.user
    const password = login.password ?? cluster.password
    return `postgres://${user}:${encodeURIComponent(password)}@${this.host}:${this.port}/${login.database ?? cluster.database}`
  }

  get adminUrl(): string {
    return this.url({ database: 'shardway' })
  }

  get httpUrl(): string {
    return `http://${this.host}:${this.httpPort}`
  }

  /** Starts it (again, after `stop` or `kill`) and waits until GET /readyz answers 200. */
  async start(): Promise<void> {
    if (this.running) return
    const main = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')
    if (!existsSync(main)) throw new Error(`${main} is missing: run npm run build`)
    const launched = await supervisor().start(this.#options.node ?? process.execPath, {
      args: [...(this.#options.nodeArguments ?? []), main, 'serve', '-c', this.configPath],
      env: { ...plainEnvironment(), ...this.#options.env },
      cwd: this.folder,
      onOutput: text => this.#collect(text),
      stop: { signal: 'SIGINT', graceMs: 1500, order: 0 },
    })
    this.#process = launched
    try {
      await waitFor(
        'Shardway to be ready',
        async () => {
          const exit = launched.exit()
          if (exit !== undefined) {
            const reason = exit.code === null ? exit.signal : `exit code ${exit.code}`
            throw new GiveUp(`Shardway ended before it was ready (${reason}):\n${this.lines.slice(-20).join('\n')}`)
          }
          const answer = await fetch(`${this.httpUrl}/readyz`, { signal: AbortSignal.timeout(2000) })
          await answer.arrayBuffer()
          return answer.status === 200
        },
        { timeoutMs: this.#options.readyTimeoutMs ?? 20_000, everyMs: 50 },
      )
    } catch (error) {
      await launched.control('kill')
      if (error instanceof GiveUp) throw error
      throw new Error(`Shardway did not become ready; its last lines:\n${this.lines.slice(-20).join('\n')}`, {
        cause: error,
      })
    }
  }

  /** SIGTERM; resolves with the exit code, null when it had to be killed. */
  async stop(timeoutMs = 10_000): Promise<number | null> {
    const current = this.#process
    if (current === undefined) return null
    const exited = current.exit()
    if (exited !== undefined) return exited.code
    await current.control('SIGTERM')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>(resolve => {
      timer = setTimeout(() => resolve(undefined), timeoutMs)
    })
    const exit = await Promise.race([current.exited, late])
    clearTimeout(timer)
    if (exit !== undefined) return exit.code
    await current.control('kill')
    return null
  }

  /** kill -9 of the control process and its workers. */
  async kill(): Promise<void> {
    await this.#process?.control('kill')
  }

  async freeze(): Promise<void> {
    await this.#process?.control('freeze')
  }

  async thaw(): Promise<void> {
    await this.#process?.control('thaw')
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    await this.#process?.control(name)
  }

  /** Stops it and removes its temporary folder. Resolves with the exit code of the stop. */
  async close(): Promise<number | null> {
    const code = await this.stop()
    if (this.#temporary) await supervisor().discard(this.folder)
    return code
  }

  writeConfig(text: string): void {
    writeFileSync(this.configPath, text, { mode: 0o600 })
    chmodSync(this.configPath, 0o600)
  }

  #collect(text: string): void {
    const parts = (this.#rest + text).split('\n')
    this.#rest = parts.pop() ?? ''
    for (const line of parts) this.lines.push(line)
    if (this.lines.length > KEPT_LINES) this.lines.splice(0, this.lines.length - KEPT_LINES)
    if (this.#options.logPath !== undefined && parts.length > 0)
      appendFileSync(this.#options.logPath, `${parts.join('\n')}\n`)
  }
}

/** Writes the configuration and starts Shardway; ready when this resolves. */
export async function startShardway(options: ShardwayOptions): Promise<ShardwayProcess> {
  const folder = options.folder ?? makeTemporaryFolder('shardway-proxy-', null)
  if (options.folder === undefined) supervisor().discardAtEnd(folder)
  else mkdirSync(folder, { recursive: true })
  const port = options.port ?? (await freePort())
  const httpPort = options.httpPort ?? (await freePort())
  const shardway = new ShardwayProcess(options, folder, port, httpPort)
  if (options.keepConfig !== true) shardway.writeConfig(shardwayConfig(options, port, httpPort))
  await shardway.start()
  return shardway
}
