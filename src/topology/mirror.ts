/**
 * The topology's mirror in one shard: table shardway.state, and the heartbeat of the proxy that owns it, a session
 * advisory lock. One connection of the control user per shard's primary, held as long as the proxy serves.
 */
import { z } from 'zod'
import type { MirrorRow } from './mirror-decision.ts'
import type { DatabaseTopology } from './topology.ts'

/** What is needed of a connection; `pg.Client` has it. */
export interface MirrorConnection {
  query(text: string, values?: unknown[]): Promise<{ rows: Array<Record<string, unknown>> }>
}

export interface MirrorMap {
  readonly shardNames: readonly string[]
  readonly slotRuns: ReadonlyArray<readonly [number, number]>
}

export interface MirrorEntry extends MirrorRow {
  readonly map: MirrorMap | null
  /** Milliseconds since the epoch, the shard's clock. */
  readonly updatedAtMs: number
}

const mapSchema = z.object({ shardNames: z.array(z.string()), slotRuns: z.array(z.tuple([z.int(), z.int()])) })

const LOCK = "hashtextextended($1 || '|shardway', 0)"

const CREATE = [
  'create schema if not exists shardway',
  `create table if not exists shardway.state (
     database text primary key, state_id text not null, epoch bigint not null, slot_map jsonb not null,
     updated_at timestamptz not null default now())`,
]

const READ = `select state_id, epoch::text as epoch, slot_map, (extract(epoch from updated_at) * 1000)::bigint::text as at
  from shardway.state where database = $1`

/** Writes only over a row of the same id: two proxies that start at once cannot both win. */
const WRITE = `insert into shardway.state as s (database, state_id, epoch, slot_map) values ($1, $2, $3, $4::jsonb)
  on conflict (database) do update set state_id = excluded.state_id, epoch = excluded.epoch,
    slot_map = excluded.slot_map, updated_at = now()
  where ($5 or s.state_id = excluded.state_id) and (s.epoch, s.state_id) is distinct from (excluded.epoch, excluded.state_id)`

export class Mirror {
  readonly #connection: MirrorConnection
  readonly #database: string
  readonly #shard: string
  #holdsLock = false

  constructor(connection: MirrorConnection, database: string, shard: string) {
    this.#connection = connection
    this.#database = database
    this.#shard = shard
  }

  /** The row, and whether another session beats for it. null: the shard has never been mirrored. Takes the lock if it is free. */
  async inspect(): Promise<MirrorEntry | null> {
    const ownerAlive = !(await this.#tryLock())
    const exists = await this.#connection.query("select to_regclass('shardway.state') is not null as yes")
    if (exists.rows[0]?.['yes'] !== true) return null
    const row = (await this.#connection.query(READ, [this.#database])).rows[0]
    if (row === undefined) return null
    const map = mapSchema.safeParse(row['slot_map'])
    return {
      shard: this.#shard,
      stateId: String(row['state_id']),
      epoch: Number(row['epoch']),
      ownerAlive,
      map: map.success ? map.data : null,
      updatedAtMs: Number(row['at']),
    }
  }

  /** True when the shard's row now is ours. `force` takes the row over from another id: only for `state recover`. */
  async write(stateId: string, epoch: number, topology: DatabaseTopology, force = false): Promise<boolean> {
    for (const statement of CREATE) await this.#connection.query(statement)
    const map: MirrorMap = { shardNames: topology.shardNames, slotRuns: topology.slotRuns }
    await this.#connection.query(WRITE, [this.#database, stateId, epoch, JSON.stringify(map), force])
    const row = (await this.#connection.query(READ, [this.#database])).rows[0]
    return row?.['state_id'] === stateId
  }

  /** A dead proxy's session ends with its connection, so a lock that cannot be had has a living owner. */
  async #tryLock(): Promise<boolean> {
    if (this.#holdsLock) return true
    const result = await this.#connection.query(`select pg_try_advisory_lock(${LOCK}) as got`, [this.#database])
    this.#holdsLock = result.rows[0]?.['got'] === true
    return this.#holdsLock
  }

  /** Lets the next owner in without waiting for the connection's end. */
  async release(): Promise<void> {
    if (!this.#holdsLock) return
    this.#holdsLock = false
    await this.#connection.query(`select pg_advisory_unlock(${LOCK})`, [this.#database])
  }
}
