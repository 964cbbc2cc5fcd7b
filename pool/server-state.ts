/**
 * What is known of a server connection's session state: which settings were laid on it and which statements are
 * prepared there. Anything not recorded here must not be on a server that goes back to its pool.
 */

import { PreparedList } from './prepared-list.ts'

/** Settings carried for a session: names in lower case, values as current_setting() prints them. Immutable. */
export interface Settings {
  /** Equal signatures mean equal settings. */
  readonly signature: string
  readonly values: ReadonlyMap<string, string>
}

export const NO_SETTINGS: Settings = { signature: '', values: new Map() }

export function settingsOf(values: ReadonlyMap<string, string>): Settings {
  const names = [...values.keys()].sort()
  return { signature: names.map(name => `${name}\0${values.get(name) ?? ''}`).join('\0\0'), values }
}

export class ServerState {
  settings: Settings = NO_SETTINGS
  /** By shared statement ids. */
  readonly prepared = new PreparedList()
  /** Id of the statement that the unnamed name stands for; 0 unknown or none. */
  unnamed = 0
  /** Must be reset with DISCARD ALL before anyone else has it. */
  dirty = false
  /** Postmaster start of the server, as epoch text; watermarks of another start do not count. */
  start = ''
  /** Parse messages sent, for the statistics. */
  parses = 0
  connectedAtMs = 0
  requestAtMs = 0
  /** Since when it is nobody's, milliseconds, to a tick; 0 while it is not, or not yet looked at. */
  idleAtMs = 0
  /** server_lifetime of this one. */
  lifetimeMs = Number.POSITIVE_INFINITY
  /** Past its lifetime: closed instead of going back to its pool. */
  expired = false
  /** One of reserve_pool_size: closed as soon as nobody waits. */
  reserve = false
  /** Closed instead of going back to its pool. */
  closeNeeded = false
  /** Cancel connections under way; the server is not reused before they ended. */
  cancels = 0
  /** A cancel signal was sent: one round trip must be answered before anyone else has the server. */
  settle = false
  /** Since when the server owes an answer to a query of the proxy's own, 0: it does not. */
  internalSinceMs = 0
}
