import { expect, it } from 'vitest'
import { topologyView } from '../../../src/dashboard/api.ts'
import { REPORTS, TOPOLOGY, WATERMARKS } from '../admin/context.ts'

it('shows topology, lag and load', () => {
  const view = topologyView(TOPOLOGY, WATERMARKS, REPORTS, { version: '1.2.3', atMs: 5, ready: true })
  expect(view).toMatchObject({ version: '1.2.3', epoch: 7, atMs: 5, ready: true })
  expect(view.workers).toEqual([
    { worker: 0, memoryBytes: 1, clients: 3 },
    { worker: 1, memoryBytes: 1, clients: 1 },
  ])
  const [database] = view.databases
  expect(database).toMatchObject({ clients: 3, clientsActive: 1, clientsWaiting: 1, servers: 2, queries: 120 })
  expect(database?.slotMap).toEqual([
    [0, 8192, 's0'],
    [8192, 7808, 's1'],
    [16_000, 384, 's0'],
  ])
  expect(database?.shards[0]).toMatchObject({
    name: 's0',
    term: 2,
    defaultShard: true,
    slots: 8576,
    slotsPercent: 52.3,
  })
  expect(database?.shards[0]?.nodes[1]).toMatchObject({ role: 'replica', lagSeconds: 1.5, servers: 0 })
  expect(JSON.parse(JSON.stringify(view))).toEqual(view)
})
