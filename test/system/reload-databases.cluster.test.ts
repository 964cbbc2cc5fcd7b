import { readFileSync } from 'node:fs'
import { parse, stringify } from 'smol-toml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { errorOf, valueOf } from '../support/messages.ts'
import { reload } from '../support/reload.ts'
import { startSystem, type System } from '../support/system.ts'

interface Database {
  name: string
  [key: string]: unknown
}

describe('databases in a reloaded configuration', () => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers: 2, shards: 1, replicas: 0, oracle: false })
    await system.cluster.everywhere("CREATE ROLE second LOGIN PASSWORD 'second'")
  })
  afterAll(async () => {
    await system.stop()
  })

  async function change(edit: (databases: Database[]) => Database[]): Promise<void> {
    const { shardway } = system
    const config = parse(readFileSync(shardway.configPath, 'utf8')) as unknown as { databases: Database[] }
    config.databases = edit(config.databases)
    shardway.writeConfig(stringify(config))
    await reload(system)
  }

  it('servers log in as the configuration says now', async () => {
    const wire = await system.connect()
    expect(await valueOf(wire, 'SELECT session_user')).not.toBe('second')
    await change(databases => databases.map(one => ({ ...one, server_user: 'second', server_password: 'second' })))
    await waitFor('servers of the other user', async () => (await valueOf(wire, 'SELECT session_user')) === 'second')
    await wire.end()
  })

  it('what would hide rows is refused, and nothing changes', async () => {
    const { shardway } = system
    const before = readFileSync(shardway.configPath, 'utf8')
    const tables =
      (edit: (tables: Record<string, unknown>[]) => unknown[]) =>
      (database: Database): Database => ({
        ...database,
        tables: edit(database['tables'] as Record<string, unknown>[]),
      })
    const shards =
      (name: string) =>
      (database: Database): Database => ({
        ...database,
        default_shard: name,
        shards: (database['shards'] as Record<string, unknown>[]).map(shard => ({ ...shard, name })),
      })
    const console = await system.console()
    for (const [edit, reason] of [
      [
        tables(all => all.map(one => (one['name'] === 'customers' ? { ...one, key: 'name' } : one))),
        'table "customers" with key "name", allowed: with key "id"',
      ],
      [
        tables(all => all.map(one => (one['name'] === 'countries' ? { name: 'countries', key: 'name' } : one))),
        'allowed: as reference',
      ],
      [tables(all => all.filter(one => one['name'] !== 'customers')), 'table "customers" not listed'],
      [shards('other'), 'default_shard: found "other", allowed: "s0"'],
      [shards('other'), 'shards: found "other", allowed: "s0"'],
    ] as const) {
      const config = parse(before) as unknown as { databases: Database[] }
      shardway.writeConfig(stringify({ ...config, databases: config.databases.map(edit) }))
      const error = errorOf(await console.query('RELOAD'))
      expect(error?.['M']).toContain(reason)
    }
    // A table that nobody has made yet hides nothing.
    const config = parse(before) as unknown as { databases: Database[] }
    const more = tables(all => [...all, { name: 'not_made', key: 'id' }])
    for (const databases of [config.databases.map(more), config.databases]) {
      shardway.writeConfig(stringify({ ...config, databases }))
      expect(errorOf(await console.query('RELOAD'))).toBeNull()
    }
    await console.end()
  })

  it('a database that is no more ends its sessions', async () => {
    const wire = await system.connect()
    const others = await system.connect()
    await change(databases => databases.map(one => ({ ...one, name: 'renamed' })))
    for (const one of [wire, others]) {
      expect(errorOf(await one.rest())).toMatchObject({ S: 'FATAL', C: '57P01' })
    }
  })
})
