/**
 * Server connections of one (database, user, node) on one worker. Idle ones are reused last in, first out, so that warm
 * ones stay warm; waiters are served first come, first served. docs/internals/pools.md has the states.
 */
import type { PoolSettings } from '../src/config/pool-settings.ts'
import type { ShardwayError } from '../src/errors/shardway-error.ts'
import { nowUs } from '../src/observe/clock.ts'
import { growBy, type PoolCounts, wantsReserve, wantsShare } from './growth.ts'
import { IdleServers } from './idle-servers.ts'
import { endStuck, internalQuery } from './internal-query.ts'
import type { OidPatch } from './oid-patch.ts'
import { Opening } from './opening.ts'
import type { PoolOptions } from './pool-options.ts'
import { resetServer } from './reset.ts'
import type { ServerConnection } from './server-connection.ts'
import { ageServers } from './server-life.ts'
import { type Waiter, WaitQueue, waitTimedOut } from './waiting.ts'

export class Pool {
  readonly options: PoolOptions
  size: number
  /** Kept open, idle or not. */
  minSize = 0
  settings: PoolSettings
  readonly free = new IdleServers()
  readonly #all = new Set<ServerConnection>()
  readonly #waiting = new WaitQueue()
  readonly opening: Opening
  /** Connections to close for the sake of users that wait elsewhere. */
  #owed = 0
  /** Coming back: DISCARD ALL, or a round trip after a cancel. */
  #returning = 0
  #paused = false
  #closed = false
  #patch: OidPatch | null

  constructor(options: PoolOptions) {
    const { address, role, login, onWantPermit } = options
    this.options = options
    this.size = options.size
    this.settings = options.settings
    this.#patch = options.patch
    this.opening = new Opening({
      address,
      role,
      login,
      settings: () => this.settings,
      onWantPermit,
      onPermitBack: reserve => this.#permitBack(reserve),
      onConnected: server => {
        server.patch = this.#patch
        server.state.prepared.limit = this.settings.maxPrepared
        this.#all.add(server)
      },
      onReady: server => (this.#closed || this.#paused ? server.end() : this.#lend(server)),
      onClosed: server => this.#forgetServer(server),
      onFailed: error => this.#openingFailed(error),
    })
  }

  /** OIDs of another catalog: open connections translate by it too. */
  setPatch(patch: OidPatch | null): void {
    this.#patch = patch
    for (const server of this.#all) server.patch = patch
  }

  get servers(): ReadonlySet<ServerConnection> {
    return this.#all
  }

  get active(): number {
    return this.#all.size - this.free.size
  }

  get waiting(): number {
    return this.#waiting.length
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

  /** Another worker may have one of this pool's share. */
  get maySpareShare(): boolean {
    return this.#waiting.length === 0 && this.active + this.opening.underWay < this.size
  }

  maxWaitUs(now: number): number {
    return this.#waiting.firstWaitUs(now)
  }

  /**
   * An idle server at once, or null: then one of the waiter's callbacks follows later, never before this returns.
   * @throws ShardwayError the node's own, while it is not tried again (server_login_retry)
   */
  acquire(waiter: Waiter): ServerConnection | null {
    if (this.#waiting.length === 0) {
      const server = this.free.pop()
      if (server !== undefined) return server
    }
    const now = nowUs()
    const failure = this.#all.size === 0 ? this.opening.failureAt(now) : null
    if (failure !== null) throw failure
    this.#waiting.push(waiter, now)
    this.#serve(now)
    return null
  }

  /** The waiter no longer wants a server. */
  forget(waiter: Waiter): void {
    this.#waiting.forget(waiter)
  }

  /** Takes a server back. It must be idle, with nothing outstanding; otherwise it is closed (never reused in doubt). */
  release(server: ServerConnection): void {
    server.owner = null
    const { state } = server
    if (server.closed) return
    if (!server.clean) return server.destroy('given back while busy')
    if (this.settings.serverLifetimeMs === 0 || this.#mustEnd(server)) return server.end()
    if (state.cancels > 0) return // comes back by `cancelEnded`
    if (state.settle) {
      state.settle = false
      this.#returning++
      internalQuery(server, '', () => this.#returned(server))
    } else if (state.dirty) {
      this.#returning++
      resetServer(server, () => this.#returned(server))
    } else this.#lend(server)
  }

  #returned(server: ServerConnection): void {
    this.#returning--
    this.release(server)
  }

  #mustEnd({ state }: ServerConnection): boolean {
    if (this.#closed || this.#paused || state.closeNeeded || state.expired) return true
    if (this.#owed > 0) return true
    return state.reserve ? this.#waiting.length === 0 : this.#ordinary > this.size
  }

  /** Servers that count for the size: all but those of the reserve. */
  get #ordinary(): number {
    if (this.settings.reserveSize === 0) return this.#all.size
    let count = 0
    for (const server of this.#all) if (!server.state.reserve) count++
    return count
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
    this.free.endWhile(() => this.#ordinary > this.size)
    this.#serve()
  }

  /** Connections are replaced as they come back: RECONNECT, new settings. */
  reconnect(): void {
    for (const server of this.#all) server.state.closeNeeded = true
    this.free.endWhile(() => true)
    this.#serve()
  }

  /** While paused nothing is lent and every server is closed as it comes back; waiters wait. */
  setPaused(paused: boolean): void {
    this.#paused = paused
    if (paused) this.free.endWhile(() => true)
    else this.#serve()
  }

  /** Someone else waits for what this pool holds: an idle connection is closed, else the next one as it comes back. */
  yield(onlyIdle: boolean): void {
    if (!onlyIdle) this.#owed++
    this.free.endOldest()
  }

  /** Ends the connections at once; the pool goes on. */
  kill(reason: string): void {
    for (const server of [...this.#all]) server.destroy(reason)
  }

  /** The node is no longer what this pool was made for: everything is reset, not drained (soundness 25). */
  close(error: ShardwayError): void {
    this.#closed = true
    this.kill(error.message)
    for (const waiter of this.#waiting.all()) waiter.onServerUnavailable(error)
  }

  /** Timeouts, a few times a second. */
  tick(now: number): void {
    const { settings } = this
    for (const waiter of this.#waiting.expire(now, settings.waitTimeoutMs)) {
      waiter.onServerUnavailable(waitTimedOut(this.options.name, settings.waitTimeoutMs))
    }
    this.#waiting.notice(now, settings.waitNoticeMs)
    endStuck(this.#all, now / 1000, settings.connectTimeoutMs)
    ageServers(this.#all, now / 1000, settings.maxPrepared)
    this.free.age(now, settings, settings.connectTimeoutMs, () => this.#all.size > this.minSize)
    this.#serve(now)
  }

  #lend(server: ServerConnection): void {
    // server_check_delay = 0: nobody gets a server that was not checked.
    if (this.settings.checkDelayMs === 0 && this.settings.checkQuery !== null) {
      this.free.pushUnchecked(server)
      this.#serve()
    } else this.#lendChecked(server)
  }

  #lendChecked(server: ServerConnection): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.free.push(server)
    else next.onServer(server)
  }

  get #counts(): PoolCounts {
    return {
      size: this.size,
      minSize: this.minSize,
      servers: this.#ordinary,
      opening: this.opening.underWay,
      returning: this.free.tested + this.#returning,
      waiting: this.#waiting.length,
    }
  }

  /** Whatever can be done for those who wait: checks of used servers, new ones, another worker's share, the reserve. */
  #serve(now = nowUs()): void {
    if (this.#closed || this.#paused) return
    const { settings } = this
    while (this.#waiting.length > this.free.tested) {
      if (!this.free.check(settings.checkQuery ?? '', server => this.#checked(server))) break
    }
    if (this.#waiting.length === 0 && this.#all.size >= this.minSize) return
    if (this.opening.failureAt(now) !== null) return
    for (let more = growBy(this.#counts); more > 0; more--) this.opening.ask(false)
    const counts = this.#counts
    if (wantsShare(counts)) this.options.onWantShare()
    const { reserveSize, reserveAfterMs } = settings
    const firstWaitUs = this.#waiting.firstWaitUs(now)
    const { reserveAsked } = this.opening
    if (wantsReserve({ ...counts, reserveSize, reserveAfterMs, reserveAsked, firstWaitUs })) this.opening.ask(true)
  }

  #checked(server: ServerConnection): void {
    if (this.#mustEnd(server)) server.end()
    else this.#lendChecked(server)
  }

  /** The control process allows a connection. */
  permit(reserve: boolean): void {
    const opening = this.opening.connecting
    const room = reserve || this.#ordinary + opening < this.size
    const needed = this.#waiting.length > opening || this.#all.size + opening < this.minSize
    this.opening.permit(reserve, !this.#closed && !this.#paused && room && needed)
  }

  /** Pays what is owed, whatever the connection was closed for: the control process counts alike. */
  #permitBack(reserve: boolean): void {
    this.#owed = Math.max(0, this.#owed - 1)
    this.options.onPermitBack(reserve)
  }

  #openingFailed(error: ShardwayError): void {
    this.options.onSuspect()
    // With servers left, waiters are served by those; with none, waiting would only hide the reason.
    if (this.#all.size > 0) return
    for (const waiter of this.#waiting.all()) waiter.onServerUnavailable(error)
  }

  #forgetServer(server: ServerConnection): void {
    this.#all.delete(server)
    this.free.remove(server)
    this.#permitBack(server.state.reserve)
    this.#serve()
  }
}
