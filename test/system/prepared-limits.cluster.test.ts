import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, rowsOf, statusOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'

describe.each([1, 2])('limits on prepared statements, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: {
        pool: {
          default_pool_size: 1,
          max_prepared_statements: 3,
          max_client_prepared_statements: 20,
          max_client_prepared_bytes: '10KiB',
        },
      },
    })
  })
  afterAll(async () => {
    await system.stop()
  })

  const run = (name: string) => [frames.bind({ statement: name }), frames.execute()]

  it('a server keeps the latest few, and every statement still runs', async () => {
    const wire = await system.connect()
    for (let i = 0; i < 10; i++) expect(errorOf(await wire.exchange(frames.parse(`SELECT ${i}`, `s${i}`)))).toBeNull()
    for (const i of [0, 9, 0, 5, 1, 0]) expect(rowsOf(await wire.exchange(...run(`s${i}`)))).toEqual([[String(i)]])
    // Closed with the next unit: those of the last one may still be there.
    await wire.run('SELECT 1')
    const onServer = rowsOf(await wire.run("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'shardway_%'"))
    expect(Number(onServer[0]?.[0])).toBeLessThanOrEqual(3)
    await wire.end()
  })

  it('a client may keep so many, and is told what to do', async () => {
    const wire = await system.connect()
    for (let i = 0; i < 20; i++) expect(errorOf(await wire.exchange(frames.parse(`SELECT ${i}`, `s${i}`)))).toBeNull()
    const messages = await wire.exchange(frames.parse('SELECT 20', 's20'))
    expect(errorOf(messages)).toMatchObject({ C: '53400' })
    expect(errorOf(messages)?.['M']).toContain('max_client_prepared_statements')
    expect(errorOf(messages)?.['H']).toContain('DEALLOCATE')
    expect(statusOf(messages)).toBe('I')
    expect(rowsOf(await wire.exchange(...run('s3')))).toEqual([['3']])
    await wire.exchange(frames.closeStatement('s0'))
    expect(errorOf(await wire.exchange(frames.parse('SELECT 20', 's20')))).toBeNull()
    // The unnamed one is not counted.
    expect(rowsOf(await wire.exchange(frames.parse('SELECT 21'), ...run('')))).toEqual([['21']])
    await wire.end()
  })

  it('nor more text', async () => {
    const wire = await system.connect()
    const long = `SELECT '${'x'.repeat(6000)}'`
    expect(errorOf(await wire.exchange(frames.parse(long, 'one')))).toBeNull()
    const messages = await wire.exchange(frames.parse(long, 'two'))
    expect(errorOf(messages)).toMatchObject({ C: '53400' })
    expect(errorOf(messages)?.['M']).toContain('max_client_prepared_bytes')
    await wire.run('DEALLOCATE ALL')
    expect(errorOf(await wire.exchange(frames.parse(long, 'two')))).toBeNull()
    await wire.end()
  })
})
