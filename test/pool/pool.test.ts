import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { passwordSecret } from '../../pool/server-secret.ts'
import { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { Waiter } from '../../pool/waiting.ts'
import { poolSettings } from '../../src/config/pool-settings.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { ShardwayError } from '../../src/errors/shardway-error.ts'
import { nowUs } from '../../src/observe/clock.ts'
import { waitFor } from '../../src/cluster/wait.ts'

const FILE = `
[[users]]
name = "app"
password = "app"
[[databases]]
name = "app"
[[databases.shards]]
name = "s0"
nodes = ["127.0.0.1:5432"]
`

class Client implements Waiter {
  server: ServerConnection | null = null
  error: ShardwayError | null = null

  onServer(server: ServerConnection): void {
    this.server = server
  }

  onServerUnavailable(error: ShardwayError): void {
    this.error = error
  }

  onLongWait(): void {}
}

/** A node that takes connections and does with them what the test says. */
describe('a pool whose node answers nothing', () => {
  let node: Server
  const sockets = new Set<Socket>()
  let connections = 0
  let onSocket: (socket: Socket) => void
  const asked: boolean[] = []
  const back: boolean[] = []

  beforeEach(async () => {
    connections = 0
    asked.length = back.length = 0
    onSocket = socket => socket.destroy()
    node = createServer(socket => {
      connections++
      sockets.add(socket)
      socket.on('error', () => undefined)
      onSocket(socket)
    })
    await new Promise<void>(resolve => node.listen(0, '127.0.0.1', resolve))
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => node.close(resolve))
  })

  function makePool(section: string): Pool {
    const config = parseConfig(`[pool]\n${section}\n${FILE}`, '/')
    const { port } = node.address() as AddressInfo
    return new Pool({
      name: 'app|app|node',
      database: 'app',
      user: 'app',
      shard: 's0',
      address: `127.0.0.1:${port}`,
      role: 'primary',
      login: {
        host: '127.0.0.1',
        port,
        tls: { mode: 'disable', ca: undefined },
        database: 'app',
        user: 'app',
        secret: () => passwordSecret(null),
      },
      size: 2,
      settings: poolSettings(config, 'app', 'app'),
      patch: null,
      onWantShare: () => undefined,
      onWantPermit: reserve => asked.push(reserve),
      onPermitBack: reserve => back.push(reserve),
      onSuspect: () => undefined,
    })
  }

  it('opens nothing without a permit', () => {
    const pool = makePool('')
    pool.acquire(new Client())
    expect(asked).toEqual([false])
    expect(connections).toBe(0)
    pool.acquire(new Client())
    pool.acquire(new Client())
    expect(asked).toEqual([false, false])
  })

  it('gives permits back that it does not need, or never asked for', () => {
    const pool = makePool('')
    const client = new Client()
    pool.permit(false)
    expect(back).toEqual([false])
    pool.acquire(client)
    pool.forget(client)
    pool.permit(false)
    expect(back).toEqual([false, false])
    expect(pool.opening.underWay).toBe(0)
  })

  it('server_login_retry: the error is told at once for a while, without another try', async () => {
    const pool = makePool('server_login_retry = "1h"')
    const client = new Client()
    pool.acquire(client)
    pool.permit(false)
    const error = await waitFor('the failure', () => client.error ?? undefined)
    expect(error.sqlstate).toBe('08006')
    expect(back).toEqual([false])
    expect(() => pool.acquire(new Client())).toThrow(error)
    expect(asked).toEqual([false])
    expect(connections).toBe(1)
  })

  it('server_login_retry = 0: every client has a try', async () => {
    const pool = makePool('server_login_retry = "0"')
    for (let i = 1; i <= 2; i++) {
      const client = new Client()
      expect(pool.acquire(client)).toBe(null)
      pool.permit(false)
      await waitFor('the failure', () => client.error ?? undefined)
      expect(connections).toBe(i)
    }
  })

  it('server_connect_timeout', async () => {
    onSocket = () => undefined
    const pool = makePool('server_connect_timeout = "20ms"')
    const client = new Client()
    pool.acquire(client)
    pool.permit(false)
    expect((await waitFor('the failure', () => client.error ?? undefined)).message).toMatch(/timed out/)
  })

  it('the reserve is asked for when the first has waited for reserve_pool_timeout', () => {
    const pool = makePool('reserve_pool_size = 1\nreserve_pool_timeout = "5s"\nquery_wait_timeout = "0"')
    pool.size = 0
    pool.acquire(new Client())
    pool.tick(nowUs() + 4_000_000)
    expect(asked).toEqual([])
    pool.tick(nowUs() + 6_000_000)
    pool.tick(nowUs() + 7_000_000)
    expect(asked).toEqual([true])
  })
})
