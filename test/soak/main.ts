/**
 * `npm run soak`: random keyed transactions over two shards while workers and replicas are killed, and at the end a proof
 * from the shards' own tables. Leaves an artefact under test/soak/results/.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { type ShardwayProcess, startShardway } from '../../src/cluster/shardway.ts'
import { closeSupervisor } from '../../src/cluster/supervisor.ts'
import { divideSlots } from '../../src/topology/slot-map.ts'
import { SLOT_COUNT } from '../../src/topology/topology.ts'
import { breakThings, type BreakageCounts } from './breakage.ts'
import { type Counts, KEYS, SoakClient } from './client.ts'
import { Ledger } from './ledger.ts'
import { readOptions, type SoakOptions, USAGE } from './options.ts'
import { Random } from '../support/random.ts'
import { type Check, SLOT_OF_KEY, verifyShards } from './verify.ts'

interface Result {
  readonly checks: readonly Check[]
  readonly counts: Counts
  readonly breakage: BreakageCounts
  readonly ledger: Ledger
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(USAGE)
    return 0
  }
  const abort = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => abort.abort())
  const start = new Date()
  // The kit lets a program end that waits for nothing but servers to stop.
  const awake = setInterval(() => {}, 60_000)
  let cluster: Cluster | null = null
  let shardway: ShardwayProcess | null = null
  try {
    console.log(
      `soak: ${options.seconds} s, seed ${options.seed}, ${options.clients} clients, ${options.workers} workers`,
    )
    cluster = await startCluster({ shards: 2, replicas: 1 })
    await createTables(cluster)
    const tables = ['soak_accounts', 'soak_entries'].map(name => ({ name, key: 'key' }))
    shardway = await startShardway({ cluster, tables, workers: options.workers })
    const result = await soak(cluster, shardway, options, abort.signal)
    if (abort.signal.aborted) {
      console.log('soak: ended early, nothing is judged')
      return 130
    }
    await writeArtefact(options, start, result)
    return report(result)
  } finally {
    await shardway?.close().catch(() => {})
    await cluster?.stop().catch(() => {})
    await closeSupervisor()
    clearInterval(awake)
  }
}

async function createTables(cluster: Cluster): Promise<void> {
  const runs = divideSlots(cluster.shards.length)
  for (const [i, shard] of cluster.shards.entries()) {
    const client = await shard.primary.server.connect({ user: cluster.user, password: cluster.password })
    try {
      await client.query('CREATE TABLE soak_accounts (key int PRIMARY KEY, value int NOT NULL)')
      // No unique constraint on op: a write that was carried out twice must show, not fail.
      await client.query('CREATE TABLE soak_entries (key int NOT NULL, op bigint NOT NULL)')
      await client.query('CREATE INDEX ON soak_entries (key, op)')
      await client.query(
        `INSERT INTO soak_accounts (key, value) SELECT key, 0 FROM generate_series(1, ${KEYS}) AS key
         WHERE (${SLOT_OF_KEY}) BETWEEN ${runs[i]?.[0] ?? 0} AND ${(runs[i + 1]?.[0] ?? SLOT_COUNT) - 1}`,
      )
    } finally {
      await client.end()
    }
  }
  await cluster.caughtUp()
}

async function soak(
  cluster: Cluster,
  shardway: ShardwayProcess,
  options: SoakOptions,
  aborted: AbortSignal,
): Promise<Result> {
  const random = new Random(options.seed)
  const ledger = new Ledger()
  const stale: string[] = []
  const counts: Counts = {
    transactions: 0,
    reads: 0,
    connections: 0,
    refusedConnections: 0,
    abandoned: 0,
    errors: new Map(),
  }
  const breakage: BreakageCounts = { workersKilled: 0, replicasKilled: 0 }
  let lastOp = 0
  const nextOp = (): number => ++lastOp
  const url = shardway.url()
  const stop = new AbortController()
  const over = AbortSignal.any([stop.signal, aborted])
  const breaking = breakThings(cluster, shardway, fork(random), breakage, over)
  const clients = Array.from({ length: options.clients }, () =>
    new SoakClient({ url, ledger, random: fork(random), nextOp, counts, stale }).run(() => over.aborted),
  )
  const length = delay(options.seconds * 1000, undefined, { signal: over }).catch(() => {})
  // Whoever fails first ends the run, and says why.
  try {
    await Promise.race([length, breaking.then(() => length), Promise.all(clients)])
  } finally {
    stop.abort()
    await Promise.allSettled([breaking, ...clients])
  }
  await Promise.all([breaking, ...clients])
  if (aborted.aborted) return { checks: [], counts, breakage, ledger }
  const refused = counts.errors.get('0A000') ?? 0
  const checks = [
    ...(await verifyShards(cluster, ledger)),
    { name: 'every read saw the writes acknowledged before it', problems: stale },
    { name: 'no statement was refused', problems: refused === 0 ? [] : [`${refused} × 0A000`] },
    { name: 'the run did its work', problems: idleness(counts, breakage, ledger) },
  ]
  return { checks, counts, breakage, ledger }
}

/** A generator of its own for each actor: what one chooses does not depend on how often another asked. */
function fork(random: Random): Random {
  return new Random(1 + random.below(0x7ffffffe))
}

/** A soak in which nothing was written or nothing broke proves nothing. */
function idleness(counts: Counts, breakage: BreakageCounts, ledger: Ledger): readonly string[] {
  const problems: string[] = []
  if (ledger.count('acknowledged') < 100) problems.push(`only ${ledger.count('acknowledged')} acknowledged writes`)
  if (counts.reads < 50) problems.push(`only ${counts.reads} reads`)
  if (breakage.workersKilled === 0) problems.push('no worker was killed')
  if (breakage.replicasKilled === 0) problems.push('no replica was killed')
  return problems
}

function summary({ counts, breakage, ledger }: Result): Record<string, unknown> {
  return {
    acknowledged: ledger.count('acknowledged'),
    failed: ledger.count('failed'),
    unknown: ledger.count('unknown'),
    ...counts,
    errors: Object.fromEntries(counts.errors),
    ...breakage,
  }
}

async function writeArtefact(options: SoakOptions, start: Date, result: Result): Promise<void> {
  const folder = join(projectRoot(), 'test/soak/results')
  await mkdir(folder, { recursive: true })
  const end = new Date()
  const checks = result.checks.map(({ name, problems }) => ({ name, problems: problems.slice(0, 50) }))
  const artefact = { ...options, start: start.toISOString(), end: end.toISOString(), counts: summary(result), checks }
  const path = join(folder, `soak-${start.toISOString().replaceAll(/[:.]/g, '-')}.json`)
  await writeFile(path, `${JSON.stringify(artefact, null, 2)}\n`)
  console.log(`soak: ${path}`)
}

function report(result: Result): number {
  console.log(`soak: ${JSON.stringify(summary(result))}`)
  for (const { name, problems } of result.checks) {
    console.log(`${problems.length === 0 ? 'ok' : 'FAILED'}: ${name}`)
    for (const problem of problems.slice(0, 10)) console.log(`    ${problem}`)
    if (problems.length > 10) console.log(`    … ${problems.length - 10} more`)
  }
  const passed = result.checks.filter(({ problems }) => problems.length === 0).length
  console.log(`soak: ${passed} passed, ${result.checks.length - passed} failed`)
  return passed === result.checks.length ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
