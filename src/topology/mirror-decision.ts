/** May this proxy serve a database, given what its shards' mirrors say? Pure (soundness 6). */

export interface MirrorRow {
  readonly shard: string
  readonly stateId: string
  readonly epoch: number
  /** A session holds the database's heartbeat lock on this shard, and it is not ours. */
  readonly ownerAlive: boolean
}

export type Verdict =
  | { readonly serve: true }
  | {
      readonly serve: false
      readonly code: 'owned_by_another' | 'state_is_old' | 'state_is_foreign'
      readonly reason: string
    }

const RECOVER = 'run "shardway state recover" to take over'

export function judgeMirror(database: string, ownId: string, ownEpoch: number, rows: readonly MirrorRow[]): Verdict {
  const alive = rows.find(row => row.stateId !== ownId && row.ownerAlive)
  if (alive !== undefined) {
    const reason = `database ${database}: another proxy (state ${alive.stateId}) serves shard ${alive.shard} and is alive`
    return { serve: false, code: 'owned_by_another', reason }
  }
  const newer = rows.find(row => row.stateId === ownId && row.epoch > ownEpoch)
  if (newer !== undefined) {
    const reason = `database ${database}: shard ${newer.shard} knows epoch ${newer.epoch}, this proxy's state store only ${ownEpoch}; ${RECOVER}`
    return { serve: false, code: 'state_is_old', reason }
  }
  const foreign = rows.find(row => row.stateId !== ownId)
  if (foreign !== undefined) {
    const reason = `database ${database}: shard ${foreign.shard} belongs to state ${foreign.stateId}, whose proxy is gone; ${RECOVER}`
    return { serve: false, code: 'state_is_foreign', reason }
  }
  return { serve: true }
}
