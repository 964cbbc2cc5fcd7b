import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Cluster } from '../cluster/cluster.ts'
import type { ShardwayProcess } from '../cluster/shardway.ts'

export interface Demo {
  readonly cluster: Cluster
  readonly shardway: ShardwayProcess
  readonly sample: boolean
  readonly folder: string
  readonly seconds: number
}

/** What the demo prints when all of it is up. */
export function welcome({ cluster, shardway, sample, folder, seconds }: Demo): string {
  const hasPsql = (process.env['PATH'] ?? '').split(delimiter).some(path => existsSync(join(path, 'psql')))
  const nodes = cluster.shards.map(shard => {
    const replicas = shard.replicas.map(node => node.address).join(', ')
    return `    ${shard.name}   primary ${shard.primary.address}${replicas === '' ? '' : `   replica ${replicas}`}`
  })
  const queries = sample
    ? [
        '    select * from customers where id = 42;                 -- one shard answers',
        '    select * from orders where customer_id = 42;           -- the same shard',
        '    explain select * from orders where customer_id = 42;   -- the plan of its shard',
        "    insert into orders values (42, 100001, 'open', now()); -- goes to the shard of customer 42",
      ]
    : ['    create table t (id bigint primary key);']
  return [
    '',
    `Shardway is up after ${seconds.toFixed(1)} s. Connect with any Postgres client:`,
    '',
    `    psql ${shardway.url()}`,
    ...(hasPsql ? [] : ['', '    (no psql here; apt-get install postgresql-client brings it)']),
    '',
    `Dashboard   ${shardway.httpUrl}/`,
    `Console     psql ${shardway.adminUrl}   then: show shards;  show pools;`,
    `Commands    SHARDWAY_ADMIN=${shardway.adminUrl} npx shardway status`,
    '',
    'Servers:',
    ...nodes,
    '',
    'Try next:',
    ...queries,
    '',
    `Data: ${folder}   Log: ${join(folder, 'proxy', 'shardway.log')}`,
    'Ctrl-C stops all of it.',
  ].join('\n')
}
