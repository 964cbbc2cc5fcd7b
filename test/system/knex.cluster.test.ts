import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { knexKeyedProgram, knexProgram } from '../support/knex-program.ts'
import { startSystem, type System } from '../support/system.ts'

describe.each([1, 2])('Knex on one shard, workers=%i', workers => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0 })
  })
  afterAll(async () => await system.stop())

  it('sees what it sees of Postgres itself', { timeout: 120_000 }, async () => {
    const direct = await knexProgram(system.target({ port: system.oracleServer!.port }))
    // Twice: what the first run left must not change the second.
    for (let round = 0; round < 2; round++) expect(await knexProgram(system.target())).toEqual(direct)
  })
})

const SCHEMA = `CREATE TABLE authors (id bigint PRIMARY KEY, name varchar(40) NOT NULL, mail varchar(255),
  extra jsonb DEFAULT '{}', balance numeric(12,2) NOT NULL DEFAULT 0)`

describe.each([1, 2])('Knex on two shards, workers=%i', workers => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers, schema: SCHEMA, tables: [{ name: 'authors', key: 'id' }] })
  })
  afterAll(async () => await system.stop())

  it('statements that name their key are as on one server', { timeout: 120_000 }, async () => {
    const direct = await knexKeyedProgram(system.target({ port: system.oracleServer!.port }))
    expect(await knexKeyedProgram(system.target())).toEqual(direct)
  })
})
