/** A client of the console that asks faster than it is answered, or never reads: it waits, and costs nobody else anything. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { frames } from '../support/frames.ts'
import { errorOf, tagsOf } from '../support/messages.ts'
import { childrenOf, residentBytes } from '../support/processes.ts'
import { startSystem, type System } from '../support/system.ts'

/** Of a third of a megabyte each: more than the sockets on the way hold. */
const BATCHES = 100
const MEMORY_BOUND_BYTES = 96 * 1024 * 1024

describe('a flood at the console', () => {
  let system: System
  let processes: number[]
  beforeAll(async () => {
    system = await startSystem({
      workers: 1,
      shards: 1,
      replicas: 0,
      oracle: false,
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'watch', password: 'watch', stats: true },
      ],
    })
    processes = childrenOf(system.shardway.pid)
  })
  afterAll(async () => await system.stop())
  afterEach(() => system.dropClients())

  const watch = { database: 'shardway', user: 'watch', password: 'watch' }

  it('of empty statements is answered one by one', async () => {
    const count = 50_000
    const wire = await system.connect(watch)
    wire.send(Buffer.concat(Array.from({ length: count }, () => frames.query(''))))
    const answers = await wire.until('Z', count)
    expect(answers.filter(({ type }) => type === 'I')).toHaveLength(count)
    await wire.end()
    expect(childrenOf(system.shardway.pid)).toEqual(processes)
  })

  it('whose answers nobody reads stops being read', { timeout: 120_000 }, async () => {
    const before = residentBytes(system.shardway.pid)
    const wire = await system.connect(watch)
    wire.socket.pause()
    // Some ten kilobytes of answer to each.
    const batch = Buffer.concat(Array.from({ length: 20_000 }, () => frames.query('SHOW CONFIG')))
    let written = 0
    const flood = (): void => {
      while (written < BATCHES && wire.socket.write(batch)) written++
      if (written < BATCHES) {
        wire.socket.once('drain', () => {
          written++
          flood()
        })
      }
    }
    flood()
    // The console goes on answering others meanwhile, and the flood stands still before it is all taken.
    let last = -1
    await waitFor('the flood to stand still', async () => {
      const console = await system.console()
      expect(tagsOf(await console.run('SHOW VERSION'))).toEqual(['SHOW'])
      await console.end()
      const still = wire.socket.bytesRead + wire.socket.bytesWritten - wire.socket.writableLength
      const same = still === last
      last = still
      return same
    })
    expect(residentBytes(system.shardway.pid) - before).toBeLessThan(MEMORY_BOUND_BYTES)
    expect(written).toBeLessThan(BATCHES)
    wire.destroy()
    await system.isServing()
    expect(childrenOf(system.shardway.pid)).toEqual(processes)
  })

  it('is over when its client goes', async () => {
    const wire = await system.connect(watch)
    wire.send(Buffer.concat(Array.from({ length: 1000 }, () => frames.query('SHOW STATS'))))
    await wire.until('Z')
    wire.destroy()
    const console = await system.console()
    await waitFor(
      'the client to be gone',
      async () =>
        !JSON.stringify((await console.run('SHOW CLIENTS')).map(({ body }) => body.toString('latin1'))).includes(
          'watch',
        ),
    )
    expect(errorOf(await console.query('SHOW NONSENSE'))?.['C']).toMatch(/^[0-9A-Z]{5}$/)
    await console.end()
  })
})
