/** N shards × M nodes of real Postgres with streaming replication, in seconds. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Binaries, findBinaries } from './binaries.ts'
import { FaultProxy } from './fault-proxy.ts'
import { ClusterNode } from './node.ts'
import { freePort } from './ports.ts'
import { closedFolder, makePrivateFolder, makeTemporaryFolder } from './run-as.ts'
import { PgServer } from './server.ts'
import { ClusterShard } from './shard.ts'
import { supervisor } from './supervisor.ts'
import { setSystemIdentifier, newSystemIdentifier } from './system-identifier.ts'
import { APP, copyTemplate, openTemplate, REPLICATION_USER, type Template } from './template.ts'

export type { ClusterShard }

export interface ClusterOptions {
  /** Default 2. */
  readonly shards?: number
  /** Standbys of each shard; default 1. */
  readonly replicas?: number
  /** Fault proxies before every node; default false. */
  readonly links?: boolean
  /** Default: found by `findBinaries()`. */
  readonly binaries?: Binaries
  /** Kept there, and opened again if it holds a cluster already; absent: a temporary folder. */
  readonly folder?: string
  /** fsync. Default: true with `folder`, else false. */
  readonly durable?: boolean
  readonly maxConnections?: number
  /** Further settings of postgresql.conf, for every node. */
  readonly settings?: Readonly<Record<string, string>>
  /** First lines of pg_hba.conf, for every node. */
  readonly hba?: readonly string[]
  /** Hears what is being done, line by line. */
  readonly onProgress?: (line: string) => void
}

/** What stands in `cluster.json` of a kept cluster. */
interface Plan {
  readonly major: number
  readonly superuserPassword: string
  readonly replicationPassword: string
  readonly shards: ReadonlyArray<{
    readonly name: string
    readonly nodes: ReadonlyArray<{ readonly name: string; readonly port: number }>
  }>
}

export class Cluster {
  readonly binaries: Binaries
  readonly folder: string
  readonly shards: readonly ClusterShard[]
  /** An existing folder was opened. */
  readonly reopened: boolean
  readonly database = APP
  readonly user = APP
  readonly password = APP
  readonly #make: (name: string, port: number) => PgServer
  readonly #template: Template
  readonly #temporary: boolean
  #oracle: PgServer | undefined

  constructor(parts: {
    readonly binaries: Binaries
    readonly folder: string
    readonly shards: readonly ClusterShard[]
    readonly reopened: boolean
    readonly temporary: boolean
    readonly template: Template
    readonly make: (name: string, port: number) => PgServer
  }) {
    this.binaries = parts.binaries
    this.folder = parts.folder
    this.shards = parts.shards
    this.reopened = parts.reopened
    this.#temporary = parts.temporary
    this.#template = parts.template
    this.#make = parts.make
  }

  get nodes(): readonly ClusterNode[] {
    return this.shards.flatMap(shard => shard.nodes)
  }

  /** The same on every node. */
  get superuser(): { readonly user: string; readonly password: string } {
    return { user: 'postgres', password: this.#template.superuserPassword }
  }

  shard(name: string): ClusterShard {
    const shard = this.shards.find(each => each.name === name)
    if (shard === undefined) throw new Error(`no shard ${name}`)
    return shard
  }

  /** By name (`s0-a`) or by address. */
  node(name: string): ClusterNode {
    const node = this.nodes.find(each => each.name === name || each.address === name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  /** One statement on every primary, as the superuser unless told otherwise. */
  async everywhere(sql: string, login: { readonly user?: string; readonly password?: string } = {}): Promise<void> {
    await Promise.all(this.shards.map(shard => shard.primary.server.query(sql, [], login)))
  }

  async caughtUp(timeoutMs?: number): Promise<void> {
    await Promise.all(this.shards.map(shard => shard.caughtUp(timeoutMs)))
  }

  /** A plain Postgres of the same version, with the same users and database; started when first asked for. */
  async oracle(): Promise<PgServer> {
    if (this.#oracle !== undefined) return this.#oracle
    const server = this.#make('oracle', await freePort())
    await create(server, this.binaries, this.#template)
    await server.start()
    this.#oracle = server
    return server
  }

  /** Stops everything; removes the data of a temporary cluster. */
  async stop(): Promise<void> {
    const mode = this.#temporary ? 'immediate' : 'fast'
    // A primary that ends in order hands its last WAL to its standbys: they go after it.
    await Promise.all(this.shards.map(shard => shard.primary.stop(mode)))
    await Promise.all([...this.nodes.map(node => node.stop(mode)), this.#oracle?.stop(mode)])
    await Promise.all(this.nodes.map(node => node.close()))
    if (this.#temporary) await supervisor().discard(this.folder)
  }
}

/** Starts a new cluster, or the one that `folder` holds. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const binaries = options.binaries ?? findBinaries()
  const progress = options.onProgress ?? (() => {})
  const temporary = options.folder === undefined
  const folder = options.folder ?? makeTemporaryFolder('shardway-', binaries.runAs)
  if (temporary) supervisor().discardAtEnd(folder)
  else refuseClosedFolder(folder, binaries)
  const kept = temporary ? undefined : readPlan(folder)
  if (kept !== undefined && kept.major !== binaries.major) {
    throw new Error(
      `${folder} holds data of Postgres ${kept.major}, and the binaries found are version ${binaries.version} (${binaries.bin}). ` +
        `Start over with --fresh, or name the matching binaries with SHARDWAY_PG_BIN.`,
    )
  }
  const template = kept === undefined ? await openTemplate(binaries) : { ...kept, dataFolder: '' }
  const plan = kept ?? (await newPlan(options, binaries, template))
  const make = (name: string, port: number): PgServer =>
    new PgServer({
      name,
      binaries,
      template,
      folder: join(folder, 'nodes', name),
      port,
      durable: options.durable ?? !temporary,
      kept: !temporary,
      maxConnections: options.maxConnections ?? 200,
      settings: options.settings ?? {},
      hba: options.hba ?? [],
    })
  if (kept === undefined) {
    rmSync(join(folder, 'nodes'), { recursive: true, force: true })
    makePrivateFolder(join(folder, 'nodes'), binaries.runAs)
  }
  const shards = await Promise.all(
    plan.shards.map(async shard => {
      const nodes = await Promise.all(
        shard.nodes.map(
          async ({ name, port }) => new ClusterNode(make(name, port), await links(options, port), loginOf(plan)),
        ),
      )
      const [primary] = nodes
      if (primary === undefined) throw new Error(`shard ${shard.name} has no nodes`)
      return new ClusterShard(shard.name, nodes, primary)
    }),
  )
  const cluster = new Cluster({ binaries, folder, shards, reopened: kept !== undefined, temporary, template, make })
  try {
    if (kept === undefined) {
      progress(`creating ${cluster.nodes.length} Postgres servers in ${folder}`)
      await Promise.all(shards.map(shard => createShard(shard, binaries, template)))
      if (!temporary) writeFileSync(join(folder, 'cluster.json'), `${JSON.stringify(plan, null, 2)}\n`, { mode: 0o600 })
    } else {
      for (const node of cluster.nodes) node.server.writeConfiguration()
    }
    await startNodes(cluster, progress)
  } catch (error) {
    await cluster.stop().catch(() => {})
    throw error
  }
  return cluster
}

async function startNodes(cluster: Cluster, progress: (line: string) => void): Promise<void> {
  await Promise.all(
    cluster.nodes.map(async node => {
      await node.start()
      progress(`${node.name} listens on ${node.server.host}:${node.server.port}`)
    }),
  )
  await Promise.all(cluster.shards.map(shard => shard.findPrimary()))
  // Streaming, not only started: whoever kills a primary next must find its replica attached.
  await cluster.caughtUp()
}

/**
 * All nodes of a shard are copies of one template that never ran under this identity: a standby made so is what a copy
 * of a stopped primary would be, and streams from the first record on.
 */
async function createShard(shard: ClusterShard, binaries: Binaries, template: Template): Promise<void> {
  const identifier = newSystemIdentifier()
  await Promise.all(
    shard.nodes.map(async node => {
      await create(node.server, binaries, template, identifier)
      if (node !== shard.primary) node.server.becomeStandby(shard.primary.conninfoFor(node.name))
    }),
  )
}

async function create(server: PgServer, binaries: Binaries, template: Template, identifier = newSystemIdentifier()) {
  server.writeConfiguration()
  await copyTemplate(binaries, template, server.dataFolder)
  setSystemIdentifier(server.dataFolder, identifier)
}

async function links(options: ClusterOptions, port: number) {
  if (options.links !== true) return undefined
  const [clients, replication] = await Promise.all([
    FaultProxy.start(await freePort(), port),
    FaultProxy.start(await freePort(), port),
  ])
  return { clients, replication }
}

function loginOf(plan: Plan): string {
  return `user=${REPLICATION_USER} password=${plan.replicationPassword}`
}

async function newPlan(options: ClusterOptions, binaries: Binaries, template: Template): Promise<Plan> {
  const shards: Array<Plan['shards'][number]> = []
  for (let s = 0; s < (options.shards ?? 2); s++) {
    const nodes: Array<{ name: string; port: number }> = []
    for (let n = 0; n <= (options.replicas ?? 1); n++) {
      nodes.push({ name: `s${s}-${String.fromCharCode(97 + n)}`, port: await freePort() })
    }
    shards.push({ name: `s${s}`, nodes })
  }
  const { superuserPassword, replicationPassword } = template
  return { major: binaries.major, superuserPassword, replicationPassword, shards }
}

function readPlan(folder: string): Plan | undefined {
  const path = join(folder, 'cluster.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Plan) : undefined
}

/** Said at once, not after a minute of work. */
function refuseClosedFolder(folder: string, { runAs }: Binaries): void {
  const closed = closedFolder(folder, runAs)
  if (closed === undefined || runAs === null) return
  throw new Error(
    `${folder} cannot hold the data: Postgres does not run as root, user "${runAs.name}" runs it, and that user cannot ` +
      `enter ${closed}. Choose a folder that it can enter, or open that one (chmod o+x ${closed}).`,
  )
}
