import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DRIZZLE_SCHEMA, drizzleKeyedProgram, drizzleProgram } from '../support/drizzle-program.ts'
import { startSystem, type System } from '../support/system.ts'

const DRIVERS = ['node-postgres', 'postgres.js'] as const

describe.each([1, 2])('Drizzle on one shard, workers=%i', workers => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0 })
  })
  afterAll(async () => await system.stop())

  it.each(DRIVERS)('over %s sees what it sees of Postgres itself', { timeout: 120_000 }, async driver => {
    const direct = await drizzleProgram(driver, system.target({ port: system.oracleServer!.port }))
    // Twice: what the first run left must not change the second.
    for (let round = 0; round < 2; round++) expect(await drizzleProgram(driver, system.target())).toEqual(direct)
  })
})

describe.each(DRIVERS)('Drizzle on two shards, over %s', driver => {
  let system: System
  beforeAll(async () => {
    const tables = [
      { name: 'authors', key: 'id' },
      { name: 'books', key: 'author_id' },
    ]
    system = await startSystem({ workers: 2, schema: DRIZZLE_SCHEMA, tables })
  })
  afterAll(async () => await system.stop())

  it('statements that name their key are as on one server', { timeout: 120_000 }, async () => {
    const direct = await drizzleKeyedProgram(driver, system.target({ port: system.oracleServer!.port }))
    expect(await drizzleKeyedProgram(driver, system.target())).toEqual(direct)
  })
})
