/**
 * Server connections of one (database, user, node) on one worker. Idle ones are reused last in, first out, so that warm
 * ones stay warm; waiters are served first come, first served.
 */
import { ShardwayError } from '../src/errors/shardway-error.ts'
import { nowUs } from '../src/observe/clock.ts'
import { type Login, openServer } from './connect.ts'
import { endStuck, internalQuery } from './internal-query.ts'
import type { OidPatch } from './oid-patch.ts'
import { ServerConnection } from './server-connection.ts'
import { NO_SETTINGS } from './server-state.ts'

/** Who waits for a server. Exactly one of the two is called, unless the wait is given up with `forget`. */
export interface Waiter {
  onServer(server: ServerConnection): void
  onServerUnavailable(error: ShardwayError): void
}

export interface PoolOptions {
  readonly name: string
  readonly database: string
  readonly user: string
  readonly shard: string
  readonly address: string
  readonly role: 'primary' | 'replica'
  readonly login: Login
  readonly size: number
  readonly patch: OidPatch | null
  readonly waitTimeoutMs: number
  readonly lifetimeMs: number
  readonly idleTimeoutMs: number
  /** The pool is at its share and someone waits. */
  readonly onWantShare: () => void
  /** The node did not answer, or is not what it was taken for. */
  readonly onSuspect: () => void
}

type Waiting = { readonly waiter: Waiter; readonly sinceUs: number }

/** Connections under way at once: more only queue up in the server's own postmaster. */
const MAX_CONNECTING = 8

export class Pool {
  readonly options: PoolOptions
  size: number
  readonly #idle: ServerConnection[] = []
  readonly #all = new Set<ServerConnection>()
  #waiting: Waiting[] = []
  #connecting = 0
  #closed = false
  #patch: OidPatch | null

  constructor(options: PoolOptions) {
    this.options = options
    this.size = options.size
    this.#patch = options.patch
  }

  /** OIDs of another catalog: open connections translate by it too. */
  setPatch(patch: OidPatch | null): void {
    this.#patch = patch
    for (const server of this.#all) server.patch = patch
  }

  get servers(): ReadonlySet<ServerConnection> {
    return this.#all
  }

  get idle(): number {
    return this.#idle.length
  }

  /** Servers in use. */
  get active(): number {
    return this.#all.size - this.#idle.length
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get connecting(): number {
    return this.#connecting
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Clients may keep all servers but one, so that the others still get their turn. */
  get maySparePinned(): boolean {
    let pinned = 0
    for (const server of this.#all) if (server.owner !== null && server.state.dirty) pinned++
    return pinned < Math.max(1, this.size - 1)
  }

  maxWaitUs(now: number): number {
    const first = this.#waiting[0]
    return first === undefined ? 0 : now - first.sinceUs
  }

  isIdle(server: ServerConnection): boolean {
    return this.#idle.includes(server)
  }

  /** An idle server at once, or null: then one of the waiter's callbacks follows later. */
  acquire(waiter: Waiter): ServerConnection | null {
    if (this.#waiting.length === 0) {
      const server = this.#idle.pop()
      if (server !== undefined) return server
    }
    this.#waiting.push({ waiter, sinceUs: nowUs() })
    this.#grow()
    return null
  }

  /** The waiter no longer wants a server. */
  forget(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter(one => one.waiter !== waiter)
  }

  /** Takes a server back. It must be idle, with nothing outstanding; otherwise it is closed (never reused in doubt). */
  release(server: ServerConnection): void {
    server.owner = null
    if (server.closed) return
    if (!server.clean) {
      server.destroy('given back while busy')
      return
    }
    if (this.#closed || server.state.closeNeeded || this.#all.size > this.size) {
      server.end()
      return
    }
    if (server.state.cancels > 0) return // comes back by `cancelEnded`
    if (server.state.settle) {
      server.state.settle = false
      internalQuery(server, '', () => this.release(server))
      return
    }
    if (server.state.dirty) {
      this.#reset(server)
      return
    }
    this.#lend(server)
  }

  cancelStarted(server: ServerConnection): void {
    server.state.cancels++
  }

  /**
   * The server closed the cancel connection: the signal was sent, but may arrive late. An answered round trip behind it
   * makes sure that it hits nobody else (soundness 34).
   */
  cancelEnded(server: ServerConnection): void {
    server.state.cancels--
    server.state.settle = true
    if (server.state.cancels === 0 && !server.closed && server.owner === null) this.release(server)
  }

  setSize(size: number): void {
    this.size = size
    this.#shrink()
    this.#grow()
  }

  /** Connections are replaced as they come back: RECONNECT, new settings. */
  reconnect(): void {
    for (const server of this.#all) server.state.closeNeeded = true
    for (const server of this.#idle.splice(0)) server.end()
  }

  /** The node is no longer what this pool was made for: everything is reset, not drained (soundness 25). */
  close(error: ShardwayError): void {
    this.#closed = true
    for (const server of [...this.#all]) server.destroy(error.message)
    this.#fail(error)
  }

  /** Timeouts, a few times a second. */
  tick(now: number): void {
    const { waitTimeoutMs, lifetimeMs, idleTimeoutMs } = this.options
    for (;;) {
      const first = this.#waiting[0]
      if (waitTimeoutMs === 0 || first === undefined || now - first.sinceUs <= waitTimeoutMs * 1000) break
      const error = new ShardwayError('query_wait_timeout', '57014', 'query_wait_timeout', {
        detail: `No server connection of pool ${this.options.name} became free within ${waitTimeoutMs} ms.`,
        hint: 'Raise [pool] default_pool_size or query_wait_timeout, or look for long transactions in SHOW CLIENTS.',
      })
      this.#waiting.shift()
      first.waiter.onServerUnavailable(error)
    }
    const nowMs = now / 1000
    endStuck(this.#all, nowMs, this.options.login.timeoutMs)
    for (const server of [...this.#idle]) {
      const { connectedAtMs, requestAtMs } = server.state
      if (nowMs - requestAtMs <= idleTimeoutMs && nowMs - connectedAtMs <= lifetimeMs) continue
      this.#idle.splice(this.#idle.indexOf(server), 1)
      server.end()
    }
    this.#grow()
  }

  #lend(server: ServerConnection): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(server)
    else next.waiter.onServer(server)
  }

  #reset(server: ServerConnection): void {
    internalQuery(server, 'DISCARD ALL', error => {
      if (error !== null || server.closed) return server.destroy('DISCARD ALL failed')
      server.state.settings = NO_SETTINGS
      server.state.prepared.clear()
      server.state.evicted.length = 0
      server.state.unnamed = 0
      server.state.dirty = false
      this.release(server)
    })
  }

  #shrink(): void {
    while (this.#all.size > this.size) {
      const server = this.#idle.shift()
      if (server === undefined) return
      server.end()
    }
  }

  #grow(): void {
    if (this.#closed) return
    while (
      this.#connecting < Math.min(this.#waiting.length, MAX_CONNECTING) &&
      this.#all.size + this.#connecting < this.size
    ) {
      this.#connecting++
      void this.#connect()
    }
    if (this.#waiting.length > this.#connecting && this.#all.size + this.#connecting >= this.size) {
      this.options.onWantShare()
    }
  }

  async #connect(): Promise<void> {
    try {
      const { socket, identity } = await openServer(this.options.login)
      const server = new ServerConnection(socket, identity, closed => this.#forgetServer(closed))
      server.patch = this.#patch
      server.state.connectedAtMs = nowUs() / 1000
      server.state.requestAtMs = server.state.connectedAtMs
      this.#connecting--
      this.#all.add(server)
      this.#identify(server)
    } catch (error) {
      this.#connecting--
      this.#connectFailed(
        error instanceof ShardwayError ? error : new ShardwayError('server_unavailable', '08006', String(error)),
      )
    }
  }

  /** A node may have changed its role, or have been restarted behind what it served: looked at before first use. */
  #identify(server: ServerConnection): void {
    const sql =
      'select pg_catalog.pg_is_in_recovery(), extract(epoch from pg_catalog.pg_postmaster_start_time())::pg_catalog.text'
    internalQuery(server, sql, (error, rows) => {
      if (error !== null) {
        server.destroy('the server could not be looked at')
        return this.#connectFailed(error)
      }
      server.state.start = rows[0]?.[1] ?? ''
      const role = rows[0]?.[0] === 'f' ? 'primary' : 'replica'
      if (role === this.options.role) return this.release(server)
      server.destroy('role changed')
      this.#connectFailed(
        new ShardwayError('role_changed', '57P03', `node ${this.options.address} is not a ${this.options.role} now`, {
          hint: 'The proxy looks at its nodes again; try again in a moment.',
        }),
      )
    })
  }

  #connectFailed(error: ShardwayError): void {
    this.options.onSuspect()
    // With servers left, waiters are served by those; with none, waiting would only hide the reason.
    if (this.#all.size === 0) this.#fail(error)
  }

  #fail(error: ShardwayError): void {
    for (const { waiter } of this.#waiting.splice(0)) waiter.onServerUnavailable(error)
  }

  #forgetServer(server: ServerConnection): void {
    this.#all.delete(server)
    const at = this.#idle.indexOf(server)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#grow()
  }
}
