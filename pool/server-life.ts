/** When a server connection is closed or looked at before reuse. */
import type { ServerConnection } from './server-connection.ts'

/** A pool that was opened at once is not closed at once: each lifetime is cut by up to a tenth, by chance (0 to 1). */
export function lifetimeOf(lifetimeMs: number, chance: number): number {
  return Math.round(lifetimeMs * (1 - chance / 10))
}

export interface IdleServer {
  readonly idleMs: number
  /** Past its lifetime. */
  readonly expired: boolean
}

export interface IdleRules {
  /** 0: never. */
  readonly serverIdleTimeoutMs: number
  readonly checkDelayMs: number
  /** Null: no check. */
  readonly checkQuery: string | null
}

/** `spare`: the pool has more servers than it must keep. */
export function idleFate(server: IdleServer, rules: IdleRules, spare: boolean): 'end' | 'check' | 'keep' {
  if (server.expired) return 'end'
  if (spare && rules.serverIdleTimeoutMs > 0 && server.idleMs > rules.serverIdleTimeoutMs) return 'end'
  return rules.checkQuery !== null && server.idleMs > rules.checkDelayMs ? 'check' : 'keep'
}

/** Marks the servers past their lifetime; `maxPrepared` may have changed with the settings. */
export function ageServers(servers: Iterable<ServerConnection>, nowMs: number, maxPrepared: number): void {
  for (const { state } of servers) {
    if (nowMs - state.connectedAtMs > state.lifetimeMs) state.expired = true
    state.prepared.limit = maxPrepared
  }
}
