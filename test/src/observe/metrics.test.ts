import { expect, it } from 'vitest'
import { slotsByShard } from '../../../src/admin/slots-by-shard.ts'
import { metricsText } from '../../../src/observe/metrics.ts'
import { REPORTS, TOPOLOGY, WATERMARKS } from '../admin/context.ts'

const input = {
  version: '1.2.3',
  topology: TOPOLOGY,
  watermarks: WATERMARKS,
  reports: REPORTS,
  ready: true,
  slotsOf: slotsByShard,
}

it('says what the workers reported', async () => {
  const lines = (await metricsText(input)).split('\n')
  for (const line of [
    'shardway_info{version="1.2.3"} 1',
    'shardway_ready 1',
    'shardway_topology_epoch 7',
    'shardway_shard_slots{database="app",shard="s0"} 8576',
    'shardway_shard_term{database="app",shard="s0"} 2',
    'shardway_node_up{database="app",shard="s1",node="10.0.1.2:5432"} 0',
    'shardway_node_primary{database="app",shard="s0",node="10.0.0.1:5432"} 1',
    'shardway_replica_lag_seconds{database="app",shard="s0",node="10.0.0.2:5432"} 1.5',
    'shardway_pool_servers{database="app",user="app",shard="s0",node="10.0.0.1:5432",state="active"} 3',
    'shardway_pool_max_wait_seconds{database="app",user="app",shard="s0",node="10.0.0.1:5432"} 2.5',
    'shardway_queries_total{database="app",worker="0"} 100',
    'shardway_queries_total{database="app",worker="1"} 20',
    'shardway_query_seconds_total{database="app",worker="0"} 0.005',
    'shardway_reads_total{database="app",worker="1",role="replica"} 5',
    'shardway_clients{database="app",state="waiting"} 1',
    'shardway_pinned_clients{database="app"} 1',
    'shardway_plans{worker="1"} 4',
  ]) {
    expect(lines).toContain(line)
  }
})

it('keeps to the text format, with help and type for each name, also with nothing to say', async () => {
  for (const reports of [REPORTS, []]) {
    const text = await metricsText({ ...input, reports })
    const typed = new Set([...text.matchAll(/^# TYPE (\S+) (?:gauge|counter)$/gm)].map(match => match[1]))
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue
      expect(line).toMatch(/^shardway_[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+$/)
      expect(typed).toContain(/^[a-z_]+/.exec(line)?.[0])
    }
  }
})
