/** What the control process asks a node, and how the answers read. */
import { z } from 'zod'

/**
 * On a primary the timeline of the file being written: the control file shows the old one until the first checkpoint after a
 * promotion. On a standby what it receives, or what its control file says: one of the two is missing or behind at times.
 */
export const TIMELINE = `case when pg_is_in_recovery()
  then greatest((select timeline_id from pg_control_checkpoint()), coalesce((select received_tli from pg_stat_wal_receiver), 0))
  else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end`

export const START = 'extract(epoch from pg_postmaster_start_time())::text'

export const PROBE = `select pg_is_in_recovery() as recovery, ${TIMELINE} as timeline, ${START} as start,
  (select system_identifier::text from pg_control_system()) as system`

export const PRIMARY_POSITION = `select pg_current_wal_insert_lsn()::text as lsn, ${TIMELINE} as timeline, ${START} as start`

export const REPLICA_POSITION = `select pg_is_in_recovery() as recovery, pg_last_wal_replay_lsn()::text as lsn,
  ${TIMELINE} as timeline, ${START} as start`

/** Anyone may call it. A standby of an idle primary hears nothing otherwise: its lag could not be told from a dead link. */
export const EMIT = "select pg_logical_emit_message(false, 'shardway', '')"

export const probeRow = z.object({ recovery: z.boolean(), timeline: z.int(), start: z.string(), system: z.string() })

export const positionRow = z.object({
  recovery: z.boolean().default(false),
  lsn: z.string().nullable(),
  timeline: z.int(),
  start: z.string(),
})

/** '16/B374D848' as a number that can be compared. */
export function parseLsn(text: string): bigint {
  const slash = text.indexOf('/')
  return (BigInt(`0x${text.slice(0, slash)}`) << 32n) | BigInt(`0x${text.slice(slash + 1)}`)
}

/** Identity of one start of one server on one timeline (soundness 21): a crashed standby restarts behind what it served. */
export function startId(start: string, timeline: number): string {
  return `${start}/${timeline}`
}
