import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectControl, dropConnection } from '../../pool/control-connection.ts'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster({ shards: 1, replicas: 0 })
})
afterAll(async () => {
  await cluster.stop()
})

it('a control statement does not hang on what the role has set', async () => {
  const { server } = cluster.shard('s0').primary
  const { user, password } = server.superuser
  const settings = { statement_timeout: '1s', lock_timeout: '1s', jit: 'on', default_transaction_read_only: 'on' }
  for (const [name, value] of Object.entries(settings)) {
    await server.query(`ALTER ROLE ${user} SET ${name} = '${value}'`)
  }
  const client = await connectControl(
    { host: server.host, port: server.port, dbname: 'app', user, password },
    {
      tls: { mode: 'disable', ca: undefined },
      connectTimeoutMs: 5000,
      queryTimeoutMs: 5000,
      applicationName: 'test',
    },
  )
  try {
    const shown: unknown[] = []
    for (const name of Object.keys(settings)) {
      const { rows } = await client.query<Record<string, string>>(`SHOW ${name}`)
      shown.push(rows[0]?.[name])
    }
    expect(shown).toEqual(['0', '0', 'off', 'off'])
  } finally {
    dropConnection(client)
  }
})
