/** What a client costs that does nothing. SHARDWAY_TEST_IDLE_CLIENTS=10000: the long run. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { certificate } from '../support/certificates.ts'
import { valueOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { startSystem, type System } from '../support/system.ts'
import { changeConfig } from '../support/reload.ts'
import { connectTls } from '../support/tls-wire.ts'
import type { Wire } from '../support/wire.ts'

const CLIENTS = Number(process.env['SHARDWAY_TEST_IDLE_CLIENTS'] ?? 2000)
const AT_ONCE = 100
const [BOUND_BYTES, TLS_BOUND_BYTES] = [10 * 1024, 50 * 1024]

interface Memory {
  readonly gcOf: number
  /** Without the young generation. */
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

async function memoryOf(system: System, pid: number): Promise<Memory> {
  const before = system.shardway.lines.length
  process.kill(pid, 'SIGUSR2')
  return await waitFor('the garbage to be collected', () => {
    const fresh = system.shardway.lines.slice(before).filter(line => line.includes(`"gcOf":${pid},`))
    return fresh.length > 0 && (JSON.parse(fresh[0] ?? '') as Memory)
  })
}

async function inGroups<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const group = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => work(from + i))
    results.push(...(await Promise.all(group)))
  }
  return results
}

describe.each(['plain', 'TLS'])('%s', kind => {
  let system: System
  beforeAll(async () => {
    const onSignal = fileURLToPath(new URL('../support/gc-on-signal.mjs', import.meta.url))
    const { certPath: cert, keyPath: key } = certificate('server')
    system = await startSystem({
      workers: 1,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: {
        auth: { method: 'trust' },
        pool: { default_pool_size: 4, max_client_conn: CLIENTS + 100 },
      },
      nodeArguments: ['--expose-gc', '--import', onSignal],
    })
    await changeConfig(system, { listen: { tls: { mode: 'prefer', cert, key } } })
  })
  afterAll(async () => {
    await system.stop()
  })

  async function connect(): Promise<Wire> {
    return kind === 'TLS' ? await connectTls(system.target(), { ca: certificate('ca').cert }) : await system.connect()
  }

  it(`${CLIENTS} clients connect, sleep and answer`, { timeout: 600_000 }, async () => {
    const pid = childrenOf(system.shardway.pid)[0] ?? 0
    const answer = async (wire: Wire, i: number): Promise<void> =>
      expect(await valueOf(wire, `SELECT ${i}`)).toBe(String(i))
    const first = await inGroups(AT_ONCE, connect)
    await inGroups(first.length, i => answer(first[i] as Wire, i))
    await Promise.all(first.map(wire => wire.end()))
    const before = await memoryOf(system, pid)
    const wires = await inGroups(CLIENTS, connect)
    await inGroups(CLIENTS, i => answer(wires[i] as Wire, i))
    const after = await memoryOf(system, pid)
    const each = (after.heapUsed + after.external - before.heapUsed - before.external) / CLIENTS
    const resident = (after.rss - before.rss) / CLIENTS
    console.log(`${kind}: ${Math.round(each)} bytes each on the heap, ${Math.round(resident)} resident`)
    if (kind === 'plain') expect(each).toBeLessThan(BOUND_BYTES)
    else expect(resident).toBeLessThan(TLS_BOUND_BYTES)
    // Of few clients the heap's growth in steps is most of it.
    if (kind === 'plain' && CLIENTS >= 10_000) expect(resident).toBeLessThan(BOUND_BYTES)
    await inGroups(CLIENTS, i => answer(wires[i] as Wire, i))
    await inGroups(CLIENTS, i => (wires[i] as Wire).end())
  })
})
