/** What one look at one node found. Made by pool/health, consumed by the reducer. */
export interface NodeObservation {
  readonly database: string
  readonly shard: string
  readonly address: string
  readonly reachable: boolean
  /** pg_is_in_recovery(); meaningless when not reachable. */
  readonly inRecovery: boolean
  /** 0 when not reachable. */
  readonly timeline: number
  /** `<pg_postmaster_start_time as epoch text>/<timeline>`; '' when not reachable. */
  readonly start: string
  /** pg_control_system().system_identifier; '' when not reachable. */
  readonly systemIdentifier: string
}
