/** SHOW MEM; and what PgBouncer shows of things that Shardway does not have: peers and a DNS cache of its own. */
import type { ConsoleResult, WorkerReport } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { type Column, int4, int8, listing, text } from '../result.ts'

/** One row for each worker, where PgBouncer has one for each kind of object. */
export async function showMem(context: AdminContext): Promise<ConsoleResult> {
  const reports = await context.reports()
  return listing<WorkerReport>(
    'SHOW',
    [
      text('name', row => `worker_${row.worker}`),
      int4('size', () => 1),
      int4('used', row => row.memoryBytes),
      int4('free', () => 0),
      int4('memtotal', row => row.memoryBytes),
    ],
    reports.toSorted((a, b) => a.worker - b.worker),
  )
}

function empty(...columns: ReadonlyArray<Column<never>>): () => ConsoleResult {
  return () => listing<never>('SHOW', columns, [])
}

const none = (): null => null

export const showPeers = empty(int4('peer_id', none), text('host', none), int4('port', none), int4('pool_size', none))

export const showPeerPools = empty(
  int4('peer_id', none),
  int4('cl_active_cancel_req', none),
  int4('cl_waiting_cancel_req', none),
  int4('sv_active_cancel', none),
  int4('sv_login', none),
)

export const showDnsHosts = empty(text('hostname', none), int8('ttl', none), text('addrs', none))

export const showDnsZones = empty(text('zonename', none), int8('serial', none), int4('count', none))
