/**
 * Connections on their way: each is asked for at the control process, which keeps the limits that pools have in common,
 * then opened, logged in and looked at.
 */
import type { PoolSettings } from '../src/config/pool-settings.ts'
import { ShardwayError } from '../src/errors/shardway-error.ts'
import { nowUs } from '../src/observe/clock.ts'
import { type Login, openServer } from './connect.ts'
import { identify } from './identify.ts'
import { ServerConnection } from './server-connection.ts'
import { lifetimeOf } from './server-life.ts'

export interface OpeningOptions {
  readonly address: string
  readonly role: 'primary' | 'replica'
  readonly login: Login
  readonly settings: () => PoolSettings
  readonly onWantPermit: (reserve: boolean) => void
  readonly onPermitBack: (reserve: boolean) => void
  /** Logged in, not yet looked at; it gives its permit back itself when it is closed. */
  readonly onConnected: (server: ServerConnection) => void
  /** What it was taken for: may be lent. */
  readonly onReady: (server: ServerConnection) => void
  readonly onClosed: (server: ServerConnection) => void
  /** The server, if there was one, is closed. */
  readonly onFailed: (error: ShardwayError) => void
}

export class Opening {
  readonly #options: OpeningOptions
  #asked = 0
  #reserveAsked = 0
  #connecting = 0
  #failure: ShardwayError | null = null
  #retryAtUs = 0

  constructor(options: OpeningOptions) {
    this.#options = options
  }

  get connecting(): number {
    return this.#connecting
  }

  /** Those that are only asked for, too. */
  get underWay(): number {
    return this.#asked + this.#connecting
  }

  get reserveAsked(): number {
    return this.#reserveAsked
  }

  /** Why no connection is tried now (server_login_retry), or null. */
  failureAt(now: number): ShardwayError | null {
    return now < this.#retryAtUs ? this.#failure : null
  }

  ask(reserve: boolean): void {
    if (reserve) this.#reserveAsked++
    else this.#asked++
    this.#options.onWantPermit(reserve)
  }

  /** A permit came: opens, or gives it back where it is not wanted, or was asked for by an earlier pool of the name. */
  permit(reserve: boolean, isWanted: boolean): void {
    const asked = reserve ? this.#reserveAsked : this.#asked
    if (asked > 0) {
      if (reserve) this.#reserveAsked--
      else this.#asked--
    }
    if (asked === 0 || !isWanted) return this.#options.onPermitBack(reserve)
    this.#connecting++
    void this.#connect(reserve)
  }

  async #connect(reserve: boolean): Promise<void> {
    const { login, settings, onConnected, onClosed } = this.#options
    let opened: Awaited<ReturnType<typeof openServer>>
    try {
      opened = await openServer(login, settings().connectTimeoutMs)
    } catch (error) {
      this.#connecting--
      this.#options.onPermitBack(reserve)
      const why = error instanceof ShardwayError ? error : null
      this.#failed(why ?? new ShardwayError('server_unavailable', '08006', String(error)), null)
      return
    }
    this.#connecting--
    const server = new ServerConnection(opened.socket, opened.identity, onClosed)
    const { state } = server
    state.reserve = reserve
    state.connectedAtMs = nowUs() / 1000
    state.requestAtMs = state.connectedAtMs
    const { serverLifetimeMs } = settings()
    if (serverLifetimeMs > 0) state.lifetimeMs = lifetimeOf(serverLifetimeMs, Math.random())
    onConnected(server)
    identify(server, this.#options, error => {
      if (error === null) {
        this.#retryAtUs = 0
        return this.#options.onReady(server)
      }
      this.#failed(error, server)
    })
  }

  #failed(error: ShardwayError, server: ServerConnection | null): void {
    this.#failure = error
    // A server that starts up, or has another role now, is tried again at once.
    this.#retryAtUs = error.sqlstate === '57P03' ? 0 : nowUs() + this.#options.settings().loginRetryMs * 1000
    server?.destroy('the server is not what it was taken for')
    this.#options.onFailed(error)
  }
}
