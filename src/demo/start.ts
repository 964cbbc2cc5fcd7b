/** `shardway start`: real servers, the proxy in front, a sample, and what to try. Ctrl-C stops all of it. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findBinaries } from '../cluster/binaries.ts'
import { type Cluster, startCluster } from '../cluster/cluster.ts'
import { keepPort, portIsFree } from '../cluster/ports.ts'
import { type ShardwayProcess, startShardway } from '../cluster/shardway.ts'
import { closeSupervisor } from '../cluster/supervisor.ts'
import { dataFolder, openDataFolder } from './data-folder.ts'
import type { StartOptions } from './options.ts'
import { hasSample, loadSample, SAMPLE_CUSTOMERS, SAMPLE_ORDERS, SAMPLE_TABLES } from './sample.ts'
import { welcome } from './welcome.ts'

/** Runs until Ctrl-C (or SIGTERM, SIGHUP); gives the exit code. Nothing that it started is left when it resolves. */
export async function runStart(options: StartOptions): Promise<number> {
  const stop = stopSignal()
  let release: (() => void) | undefined
  try {
    const folder = dataFolder(options.data)
    await refuseBusyPorts(options)
    release = openDataFolder(folder, options.fresh)
    // Whatever is under way is abandoned at once: closing the supervisor below ends what it has started.
    await Promise.race([demo(options, folder, stop), stop.requested])
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

async function demo(options: StartOptions, folder: string, stop: StopSignal): Promise<void> {
  const startedMs = performance.now()
  const cluster = await servers(options, folder)
  if (stop.signalled()) return
  if (options.sample) {
    if (await hasSample(cluster)) say('The sample is there from last time')
    else {
      say('Loading the sample (customers, orders, order_items; countries, products) …')
      await loadSample(cluster)
      say(`  ${SAMPLE_CUSTOMERS} customers and ${SAMPLE_ORDERS} orders lie on the shards of their slots`)
    }
  }
  if (stop.signalled()) return
  const shardway = await proxy(options, folder, cluster)
  if (stop.signalled()) return
  say(welcome({ cluster, shardway, sample: options.sample, folder, seconds: (performance.now() - startedMs) / 1000 }))
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

async function proxy(options: StartOptions, folder: string, cluster: Cluster): Promise<ShardwayProcess> {
  say('Starting Shardway …')
  const own = join(folder, 'proxy')
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const logPath = join(own, 'shardway.log')
  rmSync(logPath, { force: true })
  return await startShardway({
    cluster,
    folder: own,
    port: options.port,
    httpPort: options.http,
    workers: 2,
    tables: options.sample || (await hasSample(cluster)) ? SAMPLE_TABLES : [],
    logPath,
    readyTimeoutMs: 30_000,
  })
}

async function refuseBusyPorts(options: StartOptions): Promise<void> {
  if (options.port === options.http)
    throw new Error(`--port and --http are both ${options.port}; give them different ports`)
  for (const [name, port] of [
    ['--port', options.port],
    ['--http', options.http],
  ] as const) {
    keepPort(port)
    if (await portIsFree(port)) continue
    throw new Error(`port ${port} on 127.0.0.1 is in use. Choose another one: npm start -- ${name} ${port + 1000}`)
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
