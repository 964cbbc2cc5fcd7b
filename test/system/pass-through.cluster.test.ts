import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { type ShardwayProcess, startShardway } from '../../src/cluster/shardway.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import { formatVerifier, makeVerifier } from '../../src/protocol/scram-verifier.ts'
import { refusal } from '../support/logins.ts'
import { rowsOf, valueOf } from '../support/messages.ts'
import { Wire, type WireOptions } from '../support/wire.ts'

const verifiers = {
  alice: formatVerifier(makeVerifier('alice-word')),
  bob: formatVerifier(makeVerifier('bob-word')),
  /** On the servers by another salt. */
  carol: formatVerifier(makeVerifier('carol-word')),
}
const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')

describe('SCRAM pass-through of listed users', () => {
  let cluster: Cluster
  let shardway: ShardwayProcess
  const wires = new Set<Wire>()

  beforeAll(async () => {
    cluster = await startCluster({ shards: 2, replicas: 0, hba: ['host all fives 127.0.0.1/32 md5'] })
    await cluster.everywhere(`CREATE ROLE alice LOGIN PASSWORD '${verifiers.alice}';
      CREATE ROLE bob LOGIN PASSWORD '${verifiers.bob}'; CREATE ROLE carol LOGIN PASSWORD 'carol-word';
      SET password_encryption = 'md5'; CREATE ROLE fives LOGIN PASSWORD 'fives-word'`)
    shardway = await startShardway({
      cluster,
      workers: 2,
      passThrough: true,
      sections: { pool: { default_pool_size: 4 } },
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'alice', password: verifiers.alice },
        { name: 'bob', password: [verifiers.bob] },
        { name: 'carol', password: verifiers.carol },
        { name: 'fives', password: 'fives-word' },
      ],
    })
  })
  afterAll(async () => {
    await shardway.close()
    await cluster.stop()
  })
  afterEach(() => {
    for (const wire of wires) wire.destroy()
    wires.clear()
  })

  const options = (user: string, password: string): WireOptions => ({
    host: shardway.host,
    port: shardway.port,
    database: 'app',
    user,
    password,
  })
  async function connect(user: string, password = `${user}-word`): Promise<Wire> {
    const wire = await Wire.connect(options(user, password))
    wires.add(wire)
    return wire
  }
  const on = (shard: string) => `/* shardway: shard=${shard} */ SELECT current_user`

  it('the client’s proof opens every shard under its own name', async () => {
    for (const user of ['alice', 'bob', 'fives']) {
      const wire = await connect(user)
      for (const shard of ['s0', 's1']) expect(await valueOf(wire, on(shard))).toBe(user)
      await wire.end()
    }
    for (const password of ['', 'wrong', 'bob-word', verifiers.alice]) {
      expect(await refusal(connect('alice', password))).toMatchObject({ C: '28P01' })
    }
  })

  it('servers opened later, and after their loss, need no new login of the client', async () => {
    const held = await connect('alice')
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connect('alice')))
    await Promise.all(others.map(wire => wire.run('BEGIN; SELECT 1; COMMIT')))
    await cluster.shards[0]!.primary.server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alice'",
    )
    await waitFor('a server to be opened again', async () => (await valueOf(held, on('s0'))) === 'alice')
  })

  it('the newest proof counts: a reload with another verifier', async () => {
    const before = await connect('bob')
    expect(await valueOf(before, on('s1'))).toBe('bob')
    const next = formatVerifier(makeVerifier('bob-next'))
    await cluster.everywhere(`ALTER ROLE bob PASSWORD '${next}'`)
    const { readFileSync } = await import('node:fs')
    shardway.writeConfig(readFileSync(shardway.configPath, 'utf8').replace(verifiers.bob, next))
    await shardway.signal('SIGHUP')
    await waitFor('the new password to be known', () => connect('bob', 'bob-next'))
    expect(await refusal(connect('bob', 'bob-word'))).toMatchObject({ C: '28P01' })
    await cluster.everywhere("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bob'")
    const after = await Promise.all([1, 2, 3, 4].map(() => connect('bob', 'bob-next')))
    for (const wire of after) expect(rowsOf(await wire.run(on('s1')))).toEqual([['bob']])
  })

  it('another verifier on the servers is named, before anything is tried with it', async () => {
    const fields = await refusal(connect('carol', 'carol-word'))
    expect(fields).toMatchObject({ S: 'FATAL', C: '08006' })
    expect(fields['M']).toContain('another SCRAM verifier')
    expect(await refusal(connect('carol', 'wrong'))).toMatchObject({ C: '28P01' })
  })

  it('check compares the verifiers', async () => {
    const run = promisify(execFile)
    const found = await run(process.execPath, [MAIN, 'check', '-c', shardway.configPath]).catch(
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
    expect(found).toMatchObject({ code: 1 })
    const text = found.stdout + found.stderr
    expect(text).toContain('user "carol" has another verifier on the server')
    expect(text).not.toMatch(/user "(alice|bob|fives)"/)
    expect(text).not.toMatch(/SCRAM-SHA-256\$4096/)
  })
})
