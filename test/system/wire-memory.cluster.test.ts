/** What passes through one connection does not stay in the worker. SHARDWAY_TEST_STREAM_MB=1024: the long run. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { countToReady, leftBytes, peakRssBytes, pour, rssBytes } from '../support/flow.ts'
import { frames } from '../support/frames.ts'
import { valueOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { startSystem, type System } from '../support/system.ts'

const MB = 1024 * 1024
const STREAM_MB = Number(process.env['SHARDWAY_TEST_STREAM_MB'] ?? 256)
const BOUND_BYTES = 64 * MB
const ONE_MB = 'x'.repeat(MB)

describe('memory of a worker', () => {
  let system: System
  let pid = 0

  beforeAll(async () => {
    system = await startSystem({ workers: 1, shards: 1, replicas: 0, oracle: false, links: true })
    pid = childrenOf(system.shardway.pid)[0] ?? 0
    // Code that has run once takes room of its own.
    await rows(32)
    await copyOut(32)
    await copyIn(32)
    await largeQuery(32)
    await largeBind(32)
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
  })

  const link = () => (system.cluster.shards[0] as (typeof system.cluster.shards)[number]).primary.link

  async function rows(megabytes: number, rowBytes = MB): Promise<void> {
    const wire = await system.connect()
    const count = Math.ceil((megabytes * MB) / rowBytes)
    const counted = countToReady(wire)
    wire.send(frames.query(`SELECT repeat('x', ${rowBytes}) FROM generate_series(1, ${count})`))
    const { bytes, frames: seen } = await counted
    expect(seen).toEqual({ T: 1, D: count, C: 1, Z: 1 })
    expect(bytes).toBeGreaterThan(megabytes * MB)
    await wire.end()
  }

  async function copyOut(megabytes: number): Promise<void> {
    const wire = await system.connect()
    const counted = countToReady(wire)
    wire.send(frames.query(`COPY (SELECT repeat('x', ${MB}) FROM generate_series(1, ${megabytes})) TO STDOUT`))
    expect((await counted).frames).toEqual({ H: 1, d: megabytes, c: 1, C: 1, Z: 1 })
    await wire.end()
  }

  async function copyIn(megabytes: number): Promise<void> {
    const wire = await system.connect()
    wire.send(frames.query('COPY notes FROM STDIN WHERE id < 0'))
    await wire.until('G')
    const row = Buffer.from(`1\t${'y'.repeat(1020)}\n`)
    const piece = frames.copyData(Buffer.concat(Array.from({ length: 64 }, () => row)))
    await pour(wire.socket, piece, megabytes * 16)
    wire.send(frames.copyDone)
    await wire.until('Z')
    await wire.end()
  }

  /** A message of one size, in pieces. */
  async function largeQuery(megabytes: number): Promise<void> {
    const wire = await system.connect()
    const tail = Buffer.from("')\0")
    const text = Buffer.from("SELECT length('")
    wire.send(Buffer.from('Q'), frames.int32(4 + text.length + megabytes * MB + tail.length), text)
    await pour(wire.socket, Buffer.from(ONE_MB), megabytes)
    wire.send(tail)
    const answer = await wire.until('Z')
    expect(answer.find(({ type }) => type === 'D')?.body.toString('latin1')).toContain(String(megabytes * MB))
    await wire.end()
  }

  async function largeBind(megabytes: number): Promise<void> {
    const wire = await system.connect()
    const head = Buffer.from('\0\0\0\0\0\x01', 'latin1')
    wire.send(frames.parse('SELECT length($1::text)'))
    wire.send(Buffer.from('B'), frames.int32(4 + head.length + 4 + megabytes * MB + 2), head)
    wire.send(frames.int32(megabytes * MB))
    await pour(wire.socket, Buffer.from(ONE_MB), megabytes)
    const answer = await wire.exchange(Buffer.from([0, 0]), frames.execute())
    expect(answer.find(({ type }) => type === 'D')?.body.toString('latin1')).toContain(String(megabytes * MB))
    await wire.end()
  }

  async function grows(work: () => Promise<void>): Promise<void> {
    const before = rssBytes(pid)
    const peak = await peakRssBytes(pid, work)
    expect((peak - before) / MB).toBeLessThan(BOUND_BYTES / MB)
  }

  it(`rows, ${STREAM_MB} MB`, { timeout: 300_000 }, () => grows(() => rows(STREAM_MB)))
  it('one row of 100 MB', { timeout: 120_000 }, () => grows(() => rows(100, 100 * MB)))
  it(`COPY out, ${STREAM_MB} MB`, { timeout: 300_000 }, () => grows(() => copyOut(STREAM_MB)))
  it(`COPY in, ${STREAM_MB} MB`, { timeout: 300_000 }, () => grows(() => copyIn(STREAM_MB)))
  it('a query of 100 MB', { timeout: 120_000 }, () => grows(() => largeQuery(100)))
  it('a Bind of 100 MB', { timeout: 120_000 }, () => grows(() => largeBind(100)))

  it('a client that does not read', { timeout: 120_000 }, () =>
    grows(async () => {
      const wire = await system.connect()
      const counted = countToReady(wire)
      wire.socket.pause()
      wire.send(frames.query(`SELECT /* unread */ repeat('x', ${MB}) FROM generate_series(1, 128)`))
      const { primary } = system.cluster.shards[0] as (typeof system.cluster.shards)[number]
      await waitFor('the server to be held up', async () => {
        const { rows: found } = await primary.server.query(
          "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT /* unread */%' AND wait_event = 'ClientWrite'",
        )
        return found.length === 1
      })
      const other = await system.connect()
      for (let i = 0; i < 20; i++) expect(await valueOf(other, `SELECT ${i}`)).toBe(String(i))
      wire.socket.resume()
      expect((await counted).frames['D']).toBe(128)
    }),
  )

  it('a server that does not read', { timeout: 120_000 }, () =>
    grows(async () => {
      const wire = await system.connect()
      wire.send(frames.query('COPY notes FROM STDIN WHERE id < 0'))
      await wire.until('G')
      link().stall('to-server')
      const row = Buffer.from(`1\t${'y'.repeat(1020)}\n`)
      const piece = frames.copyData(Buffer.concat(Array.from({ length: 64 }, () => row)))
      for (let i = 0; i < 128 * 16; i++) wire.socket.write(piece)
      let last = -1
      let steady = 0
      await waitFor('the client to be held up', () => {
        steady = leftBytes(wire.socket) === last ? steady + 1 : 0
        last = leftBytes(wire.socket)
        return steady === 20
      })
      expect(last).toBeLessThan(64 * MB)
      await link().heal()
      wire.send(frames.copyDone)
      await wire.until('Z')
    }),
  )
})
