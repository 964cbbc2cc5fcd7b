/**
 * The servers of a pool that nobody has: idle ones, lent last in, first out; those idle for so long that they are checked
 * before anyone has them; and those being checked.
 */
import { nowUs } from '../src/observe/clock.ts'
import { internalQuery } from './internal-query.ts'
import type { ServerConnection } from './server-connection.ts'
import { idleFate, type IdleRules } from './server-life.ts'

export class IdleServers {
  readonly #idle: ServerConnection[] = []
  /** Older than all of `#idle`. */
  readonly #used: ServerConnection[] = []
  /** Being checked, since when. */
  readonly #tested = new Map<ServerConnection, number>()

  get idle(): number {
    return this.#idle.length
  }

  get used(): number {
    return this.#used.length
  }

  get tested(): number {
    return this.#tested.size
  }

  get size(): number {
    return this.#idle.length + this.#used.length + this.#tested.size
  }

  stateOf(server: ServerConnection): 'idle' | 'used' | 'tested' | 'active' {
    if (this.#idle.includes(server)) return 'idle'
    if (this.#used.includes(server)) return 'used'
    return this.#tested.has(server) ? 'tested' : 'active'
  }

  /** The one that was used last and needs no check. */
  pop(): ServerConnection | undefined {
    const server = this.#idle.pop()
    if (server !== undefined) server.state.idleAtMs = 0
    return server
  }

  push(server: ServerConnection): void {
    this.#idle.push(server)
  }

  pushUnchecked(server: ServerConnection): void {
    this.#used.push(server)
  }

  /** Closes the oldest one; false when there is none. */
  endOldest(): boolean {
    const server = this.#used.shift() ?? this.#idle.shift()
    server?.end()
    return server !== undefined
  }

  endWhile(condition: () => boolean): void {
    while (condition() && this.endOldest()) {
      // each turn closes one
    }
  }

  remove(server: ServerConnection): void {
    this.#tested.delete(server)
    for (const list of [this.#idle, this.#used]) {
      const at = list.indexOf(server)
      if (at >= 0) list.splice(at, 1)
    }
  }

  /** Checks one that needs it; false when there is none. `passed` is called when it may be lent. */
  check(query: string, passed: (server: ServerConnection) => void): boolean {
    const server = this.#used.pop()
    if (server === undefined) return false
    this.#tested.set(server, nowUs())
    server.state.idleAtMs = 0
    internalQuery(server, query, error => {
      this.#tested.delete(server)
      if (server.closed) return
      if (error === null) passed(server)
      else server.destroy('server_check_query failed')
    })
    return true
  }

  /** `maySpare` tells, for each that would be closed for idleness, whether the pool has more than it must keep. */
  age(now: number, rules: IdleRules, checkLimitMs: number, maySpare: () => boolean): void {
    for (const [server, sinceUs] of this.#tested) {
      if (checkLimitMs > 0 && now - sinceUs > checkLimitMs * 1000) {
        server.destroy('server_check_query was not answered')
      }
    }
    for (const list of [this.#used, this.#idle]) {
      for (const server of [...list]) this.#ageOne(list, server, now / 1000, rules, maySpare)
    }
  }

  #ageOne(
    list: ServerConnection[],
    server: ServerConnection,
    nowMs: number,
    rules: IdleRules,
    maySpare: () => boolean,
  ): void {
    const { state } = server
    if (state.idleAtMs === 0) state.idleAtMs = nowMs
    const idleMs = nowMs - state.idleAtMs
    const fate = idleFate({ idleMs, expired: state.expired }, rules, maySpare())
    if (fate === 'keep' || (fate === 'check' && list === this.#used)) return
    list.splice(list.indexOf(server), 1)
    if (fate === 'end') server.end()
    else this.#used.push(server)
  }
}
