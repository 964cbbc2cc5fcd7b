import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { before, step } from '../support/exchange.ts'
import { frames } from '../support/frames.ts'
import { rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const { query } = frames

describe.each([1, 2])('answers that are held for the catalog, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 1 })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  it.each([
    ['in one text', ''],
    ['behind a commit', 'COMMIT; '],
  ])('COPY FROM STDIN behind DDL %s', async (_name, between) => {
    const twin = await Twin.connect(system)
    const ddl = `CREATE TABLE comics (s text); INSERT INTO comics VALUES ('Calvin')`
    const sql = `${ddl}; ${between}COPY comics FROM STDIN; COPY comics TO STDOUT; SELECT count(*) FROM comics`
    for (const { bytes, type, count } of [before('G', query(sql)), step(frames.copyData('Moe\n'), frames.copyDone)]) {
      await twin.same(bytes, type, type === 'Z' ? 1 : count)
    }
    await twin.same(query('SELECT s FROM comics ORDER BY s; DROP TABLE comics'))
    await twin.end()
  })

  it('a failed COPY FROM STDIN behind DDL', async () => {
    const twin = await Twin.connect(system)
    await twin.same(query('CREATE TABLE comics (s int); COPY comics FROM STDIN; SELECT 1'), 'G')
    await twin.same(Buffer.concat([frames.copyData('Moe\n'), frames.copyDone]))
    await twin.same(query('SELECT * FROM comics'))
    await twin.end()
  })

  it('more than is held, behind DDL', async () => {
    const wire = await system.connect()
    const answer = await wire.run(
      `CREATE TABLE large (s text); INSERT INTO large SELECT repeat('x', 1000) FROM generate_series(1, 4000); SELECT s FROM large`,
    )
    expect(rowsOf(answer)).toHaveLength(4000)
    expect(await valueOf(wire, 'SELECT count(*) FROM large')).toBe('4000')
    await wire.run('DROP TABLE large')
    await wire.end()
  })
})
