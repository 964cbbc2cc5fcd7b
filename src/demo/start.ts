/** `shardway start`: real servers, the proxy in front, a sample, and what to try. Ctrl-C stops all of it. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findBinaries } from '../cluster/binaries.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { keepPort, portIsFree } from '../cluster/ports.ts'
import { shardwayConfig, type ShardwayProcess, startShardway } from '../cluster/shardway.ts'
import { closeSupervisor } from '../cluster/supervisor.ts'
import { dataFolder, emptyDataFolder, openDataFolder } from './data-folder.ts'
import { markFolder, sampleState } from './folder-mark.ts'
import type { StartOptions } from './options.ts'
import { planProxy, type ProxyPlan, proxyFile, writeProxyFile } from './proxy-file.ts'
import { hasSample, loadSample, SAMPLE_CUSTOMERS, SAMPLE_ORDERS, SAMPLE_TABLES } from './sample.ts'
import { welcome } from './welcome.ts'

const PRESETS = { port: 6432, http: 9632 }

/** Runs until Ctrl-C (or SIGTERM, SIGHUP); gives the exit code. Nothing that it started is left when it resolves. */
export async function runStart(options: StartOptions): Promise<number> {
  const stop = stopSignal()
  let release: (() => void) | undefined
  try {
    const folder = dataFolder(options.data)
    release = openDataFolder(folder)
    const own = join(folder, 'proxy')
    const plan = options.fresh
      ? { kept: false, port: options.port ?? PRESETS.port, http: options.http ?? PRESETS.http }
      : planProxy(own, options, PRESETS)
    await refuseBusyPorts(plan)
    if (options.fresh) emptyDataFolder(folder)
    if (plan.kept) say(`${proxyFile(own)} has been edited: it is kept as it is`)
    // Whatever is under way is abandoned at once: closing the supervisor below ends what it has started.
    await Promise.race([demo(options, folder, plan, stop), stop.requested])
    if (stop.signalled()) say('\nStopping…')
    return 0
  } catch (error) {
    if (stop.signalled()) return 0
    console.error(`\nshardway start: ${(error as Error).message}`)
    return 1
  } finally {
    await closeSupervisor({ forGood: true })
    release?.()
    if (stop.signalled()) say('Stopped. The data is kept; --fresh starts over.')
    stop.remove()
  }
}

async function demo(options: StartOptions, folder: string, plan: ProxyPlan, stop: StopSignal): Promise<void> {
  const startedMs = performance.now()
  const cluster = await servers(options, folder)
  if (stop.signalled()) return
  const sample = await sampleOf(options, folder, cluster)
  if (stop.signalled()) return
  const shardway = await proxy(plan, folder, cluster, sample)
  if (stop.signalled()) return
  say(welcome({ cluster, shardway, sample, folder, seconds: (performance.now() - startedMs) / 1000 }))
  const code = await shardway.ended
  if (stop.signalled()) return
  throw new Error(
    `Shardway has ended by itself (${code === null ? 'by a signal' : `exit code ${code}`}). Its last lines:\n` +
      shardway.lines.slice(-15).join('\n'),
  )
}

async function servers(options: StartOptions, folder: string): Promise<Cluster> {
  const binaries = findBinaries()
  const by = binaries.runAs === null ? '' : `, run as user ${binaries.runAs.name}`
  say(`Postgres ${binaries.version} (${binaries.origin}: ${binaries.bin})${by}`)
  const known = existsSync(join(folder, 'cluster.json'))
  say(known ? `Starting the servers of ${folder} …` : 'Starting the servers …')
  // Before the servers are there: once they are, only this tells a sample that was interrupted from data without one.
  if (!known) markFolder(folder, options.sample ? 'wanted' : 'none')
  const cluster = await startCluster({
    folder,
    binaries,
    ...(options.shards === undefined ? {} : { shards: options.shards }),
    ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
    onProgress: line => say(`  ${line}`),
  })
  if (known) refuseOtherShape(options, cluster, folder)
  return cluster
}

function refuseOtherShape(options: StartOptions, cluster: Cluster, folder: string): void {
  const shards = cluster.shards.length
  const replicas = (cluster.shards[0]?.nodes.length ?? 1) - 1
  if ((options.shards ?? shards) === shards && (options.replicas ?? replicas) === replicas) return
  throw new Error(
    `${folder} holds ${shards} shards with ${replicas} replicas each. Add --fresh to throw that away and start over, or ` +
      `--data DIR to keep both.`,
  )
}

/**
 * Loads the sample where it is wanted, and says whether the data is the sample. Data that was begun without it stays as
 * it is: its tables are the user's, whatever their names are.
 */
async function sampleOf(options: StartOptions, folder: string, cluster: Cluster): Promise<boolean> {
  const state = sampleState(folder) ?? ((await hasSample(cluster)) ? 'loaded' : 'none')
  if (state === 'wanted' && options.sample) {
    say('Loading the sample (customers, orders, order_items; countries, products) …')
    await loadSample(cluster)
    say(`  ${SAMPLE_CUSTOMERS} customers and ${SAMPLE_ORDERS} orders lie on the shards of their slots`)
    markFolder(folder, 'loaded')
    return true
  }
  if (state !== 'wanted') markFolder(folder, state)
  if (state === 'loaded' && options.sample) say('The sample is there from last time')
  if (state === 'none' && options.sample && cluster.reopened) {
    say('The data was begun without the sample and is kept as it is; --fresh starts over with the sample')
  }
  return state === 'loaded'
}

async function proxy(plan: ProxyPlan, folder: string, cluster: Cluster, sample: boolean): Promise<ShardwayProcess> {
  say('Starting Shardway …')
  const own = join(folder, 'proxy')
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const logPath = join(own, 'shardway.log')
  rmSync(logPath, { force: true })
  const settings = { cluster, workers: 2, tables: sample ? SAMPLE_TABLES : [] }
  if (!plan.kept) writeProxyFile(own, shardwayConfig(settings, plan.port, plan.http))
  return await startShardway({
    ...settings,
    folder: own,
    keepConfig: true,
    port: plan.port,
    httpPort: plan.http,
    logPath,
    readyTimeoutMs: 30_000,
    // Its password_env and the like were just found here.
    ...(plan.kept ? { env: ownEnvironment() } : {}),
  })
}

function ownEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

async function refuseBusyPorts({ kept, port: listen, http }: ProxyPlan): Promise<void> {
  if (listen === http) throw new Error(`--port and --http are both ${listen}; give them different ports`)
  for (const [name, port] of [
    ['--port', listen],
    ['--http', http],
  ] as const) {
    keepPort(port)
    if (await portIsFree(port)) continue
    const way = kept
      ? 'Change it in the edited shardway.toml.'
      : `Choose another one: npm start -- ${name} ${port + 1000}`
    throw new Error(`port ${port} on 127.0.0.1 is in use. ${way}`)
  }
}

interface StopSignal {
  readonly requested: Promise<void>
  signalled(): boolean
  remove(): void
}

/** npm passes Ctrl-C on, and the terminal sends it too: the second one is no more urgent than the first. */
function stopSignal(): StopSignal {
  let signalled = false
  let resolve: (() => void) | undefined
  const requested = new Promise<void>(done => {
    resolve = done
  })
  const listener = (): void => {
    signalled = true
    resolve?.()
  }
  // Servers under the supervisor do not keep this process alive, and neither do signal handlers.
  const alive = setInterval(() => {}, 2 ** 30)
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, listener)
  return {
    requested,
    signalled: () => signalled,
    remove: () => {
      clearInterval(alive)
      for (const name of names) process.removeListener(name, listener)
    },
  }
}

function say(line: string): void {
  console.log(line)
}
