/** What a pool is made with. */
import type { PoolSettings } from '../src/config/pool-settings.ts'
import type { Login } from './connect.ts'
import type { OidPatch } from './oid-patch.ts'

export interface PoolOptions {
  readonly name: string
  readonly database: string
  readonly user: string
  readonly shard: string
  readonly address: string
  readonly role: 'primary' | 'replica'
  readonly login: Login
  readonly size: number
  readonly settings: PoolSettings
  readonly patch: OidPatch | null
  /** The pool is at its share and someone waits. */
  readonly onWantShare: () => void
  /** A connection is wanted: `permit` answers, maybe much later. */
  readonly onWantPermit: (reserve: boolean) => void
  /** A permit is not used any more. */
  readonly onPermitBack: (reserve: boolean) => void
  /** The node did not answer, or is not what it was taken for. */
  readonly onSuspect: () => void
}
