/** What goes wrong while the clients work: workers and replicas die by SIGKILL and come back. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../../src/cluster/cluster.ts'
import type { ShardwayProcess } from '../../src/cluster/shardway.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import type { Random } from '../support/random.ts'

export interface BreakageCounts {
  workersKilled: number
  replicasKilled: number
}

/** Until told to stop; then everything that was killed is running again. */
export async function breakThings(
  cluster: Cluster,
  shardway: ShardwayProcess,
  random: Random,
  counts: BreakageCounts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    // Time between two breakages is part of what is tried, not a wait for something to happen.
    await delay(500 + random.below(3000), undefined, { signal }).catch(() => {})
    if (signal.aborted) break
    if (random.chance(0.5)) await killWorker(shardway, random, counts)
    else await killReplica(cluster, random, counts)
  }
}

async function killWorker(shardway: ShardwayProcess, random: Random, counts: BreakageCounts): Promise<void> {
  const before = workersOf(shardway.pid)
  const victim = before[random.below(before.length)]
  if (victim === undefined) throw new Error('Shardway has no worker to kill')
  process.kill(victim, 'SIGKILL')
  counts.workersKilled += 1
  await waitFor('the control process to start another worker', () => {
    const now = workersOf(shardway.pid)
    return !now.includes(victim) && now.length === before.length
  })
}

async function killReplica(cluster: Cluster, random: Random, counts: BreakageCounts): Promise<void> {
  const shard = cluster.shards[random.below(cluster.shards.length)]
  if (shard === undefined) return
  await shard.replica.kill()
  counts.replicasKilled += 1
  // Sometimes long enough for the proxy to see it gone, sometimes back at once.
  await delay(random.below(2000))
  await shard.replica.start()
}

/** The data processes below the control process. Only they are known by this script. */
export function workersOf(controlPid: number): readonly number[] {
  const found: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (parent !== controlPid) continue
      if (readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('worker-main')) found.push(Number(name))
    } catch {
      // It has ended since the folder was listed.
    }
  }
  return found
}
