import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { columnsOf, type Message, rowsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

type Counts = Readonly<Record<string, number>>

const NONE: Counts = {
  server_assignment_count: 0,
  xact_count: 0,
  query_count: 0,
  client_parse_count: 0,
  server_parse_count: 0,
  bind_count: 0,
  client_login_count: 0,
}

describe.each([1, 2])('SHOW STATS_TOTALS is exact, workers=%i', workers => {
  let system: System
  let console: Wire
  let wire: Wire

  beforeAll(async () => {
    system = await startSystem({
      workers,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { pool: { default_pool_size: workers } },
    })
    console = await system.console()
    wire = await system.connect()
  })
  afterAll(async () => {
    await system.stop()
  })

  async function totals(): Promise<Counts> {
    const messages = await console.run('SHOW STATS_TOTALS')
    const description = messages.find(({ type }) => type === 'T')
    const names = description === undefined ? [] : columnsOf(description).map(column => column.name)
    const row = rowsOf(messages).find(one => one[0] === 'app') ?? []
    return Object.fromEntries(names.slice(1).map((name, i) => [name, Number(row[i + 1])]))
  }

  const simple = (sql: string): [Buffer] => [frames.query(sql)]
  const extended = (sql: string): Buffer[] => [frames.parse(sql), frames.bind(), frames.execute(), frames.sync]

  it.each<[string, readonly (readonly Buffer[])[], Partial<Counts>]>([
    [
      'five simple statements',
      Array.from({ length: 5 }, () => simple('SELECT 1')),
      { query_count: 5, xact_count: 5, server_assignment_count: 5 },
    ],
    [
      'a block',
      ['BEGIN', "INSERT INTO countries (code, name) VALUES ('xx', 'x')", 'SELECT 1', 'COMMIT'].map(simple),
      { query_count: 4, xact_count: 1, server_assignment_count: 1 },
    ],
    ['a block of nothing', ['BEGIN', 'ROLLBACK'].map(simple), { query_count: 2, xact_count: 1 }],
    ['a statement that fails', [simple('SELECT 1 / 0')], { query_count: 1, xact_count: 1, server_assignment_count: 1 }],
    ['an empty query', [simple('')], {}],
    [
      'three extended statements',
      Array.from({ length: 3 }, () => extended('SELECT 1')),
      {
        query_count: 3,
        xact_count: 3,
        server_assignment_count: 3,
        client_parse_count: 3,
        server_parse_count: 3,
        bind_count: 3,
      },
    ],
    [
      'a named statement, used four times',
      [
        [frames.parse('SELECT 2', 'two'), frames.sync],
        ...Array.from({ length: 4 }, () => [frames.bind({ statement: 'two' }), frames.execute(), frames.sync]),
      ],
      {
        query_count: 4,
        xact_count: 5,
        server_assignment_count: 5,
        client_parse_count: 1,
        server_parse_count: 1,
        bind_count: 4,
      },
    ],
    [
      'two in one batch',
      [[...extended('SELECT 1').slice(0, 3), ...extended('SELECT 2')]],
      {
        query_count: 2,
        xact_count: 1,
        server_assignment_count: 1,
        client_parse_count: 2,
        server_parse_count: 2,
        bind_count: 2,
      },
    ],
  ])('%s', async (_, batches, expected) => {
    const before = await totals()
    let received = 0
    let sent = 0
    for (const batch of batches) {
      wire.send(...batch)
      received += batch.reduce((sum, part) => sum + part.length, 0)
      sent += bytesOf(await wire.until('Z'))
    }
    const counts = await waitFor('all to be counted', async () => {
      const after = await totals()
      const more = Object.fromEntries(Object.keys(after).map(name => [name, (after[name] ?? 0) - (before[name] ?? 0)]))
      return more['bytes_sent'] === sent && more
    })
    expect(counts).toMatchObject({ ...NONE, ...expected, bytes_received: received, bytes_sent: sent })
  })

  it('logins', async () => {
    const before = await totals()
    for (let i = 0; i < 3; i++) await (await system.connect()).end()
    expect((await totals())['client_login_count']).toBe((before['client_login_count'] ?? 0) + 3)
  })
})

function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { body }) => sum + 5 + body.length, 0)
}
