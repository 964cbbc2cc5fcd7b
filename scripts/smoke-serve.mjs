/** Run by smoke-lts.mjs under the Node to be tried: one Postgres, Shardway before it, a query, a clean end. */
import { root } from './run.mjs'

const { startCluster } = await import(`${root}/dist/src/cluster/cluster.js`)
const { startShardway } = await import(`${root}/dist/src/cluster/shardway.js`)
const { closeSupervisor } = await import(`${root}/dist/src/cluster/supervisor.js`)
const { default: pg } = await import('pg')

// The kit lets a program end that waits for nothing but servers to stop.
const awake = setInterval(() => {}, 60_000)
let cluster
try {
  cluster = await startCluster({ shards: 2, replicas: 0 })
  await cluster.everywhere('CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL)', {
    user: 'app',
    password: 'app',
  })
  const shardway = await startShardway({ cluster, tables: [{ name: 'notes', key: 'id' }] })
  const client = new pg.Client({ connectionString: shardway.url() })
  await client.connect()
  for (let id = 1; id <= 20; id++)
    await client.query('INSERT INTO notes (id, text) VALUES ($1, $2)', [id, `note ${id}`])
  for (let id = 1; id <= 20; id++) {
    const { rows } = await client.query(`SELECT text FROM notes WHERE id = ${id}`)
    if (rows[0]?.text !== `note ${id}`) throw new Error(`note ${id}: ${JSON.stringify(rows)}`)
  }
  await client.end()
  const code = await shardway.close()
  if (code !== 0) throw new Error(`SIGTERM ended Shardway with ${code}`)
} finally {
  await cluster?.stop()
  await closeSupervisor()
  clearInterval(awake)
}
