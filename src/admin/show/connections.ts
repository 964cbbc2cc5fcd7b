/** SHOW CLIENTS, SERVERS, SOCKETS and ACTIVE_SOCKETS. */
import type { ClientReport, ConsoleResult, ServerReport } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { type Column, int4, listing, text, timeText } from '../result.ts'

/** An id as PgBouncer shows its pointers: tools only compare them with `link`. */
export function pointer(kind: 'client' | 'server', worker: number, id: number): string {
  return `${kind === 'client' ? 'c' : 's'}${worker}-${id}`
}

/** One row of any of the four, as PgBouncer prints a socket. */
interface SocketRow {
  readonly type: 'C' | 'S'
  readonly from: ClientReport | ServerReport
  readonly addr: string
  readonly port: number
  readonly waitUs: number
  readonly closeNeeded: boolean
  readonly remotePid: number
}

const COLUMNS: ReadonlyArray<Column<SocketRow>> = [
  text('type', row => row.type),
  text('user', row => row.from.user),
  text('database', row => row.from.database),
  text('replication', () => 'none'),
  text('state', row => row.from.state),
  text('addr', row => row.addr),
  int4('port', row => row.port),
  text('local_addr', row => row.from.localAddr),
  int4('local_port', row => row.from.localPort),
  text('connect_time', row => timeText(row.from.connectTime)),
  text('request_time', row => timeText(row.from.requestTime)),
  int4('wait', row => Math.floor(row.waitUs / 1e6)),
  int4('wait_us', row => Math.round(row.waitUs % 1e6)),
  int4('close_needed', row => (row.closeNeeded ? 1 : 0)),
  text('ptr', row => pointer(row.type === 'C' ? 'client' : 'server', row.from.worker, row.from.id)),
  text('link', row => row.from.link),
  int4('remote_pid', row => row.remotePid),
  text('tls', row => row.from.tls),
  text('application_name', row => row.from.applicationName),
  int4('prepared_statements', row => row.from.preparedStatements),
  int4('id', row => row.from.id),
]

const BUFFERS: ReadonlyArray<Column<SocketRow>> = [
  int4('recv_pos', () => 0),
  int4('pkt_pos', () => 0),
  int4('pkt_remain', () => 0),
  int4('send_pos', () => 0),
  int4('send_remain', row => row.from.unsentBytes),
  int4('pkt_avail', () => 0),
  int4('send_avail', () => 0),
]

const WORKER: Column<SocketRow> = int4('worker', row => row.from.worker)

function clientRow(from: ClientReport): SocketRow {
  const { addr, port, waitUs } = from
  return { type: 'C', from, addr, port, waitUs, closeNeeded: false, remotePid: 0 }
}

function serverRow(from: ServerReport): SocketRow {
  const { host, port } = splitAddress(from.address)
  return { type: 'S', from, addr: host, port, waitUs: 0, closeNeeded: from.closeNeeded, remotePid: from.remotePid }
}

async function clientRows(context: AdminContext): Promise<SocketRow[]> {
  const clients = (await context.reports()).flatMap(report => report.clients)
  return clients.toSorted((a, b) => a.id - b.id).map(clientRow)
}

async function serverRows(context: AdminContext): Promise<SocketRow[]> {
  const servers = (await context.reports()).flatMap(report => report.servers)
  return servers.toSorted((a, b) => a.worker - b.worker || a.id - b.id).map(serverRow)
}

export async function showClients(context: AdminContext): Promise<ConsoleResult> {
  const pins = text<SocketRow>('pins', row => ('pins' in row.from ? row.from.pins : ''))
  return listing<SocketRow>('SHOW', [...COLUMNS, WORKER, pins], await clientRows(context))
}

export async function showServers(context: AdminContext): Promise<ConsoleResult> {
  const place: ReadonlyArray<Column<SocketRow>> = [
    text('shard', row => ('shard' in row.from ? row.from.shard : '')),
    text('role', row => ('role' in row.from ? row.from.role : '')),
  ]
  return listing<SocketRow>('SHOW', [...COLUMNS, WORKER, ...place], await serverRows(context))
}

export async function showSockets(context: AdminContext): Promise<ConsoleResult> {
  const rows = [...(await clientRows(context)), ...(await serverRows(context))]
  return listing<SocketRow>('SHOW', [...COLUMNS, ...BUFFERS, WORKER], rows)
}

/** Those with something under way. */
export async function showActiveSockets(context: AdminContext): Promise<ConsoleResult> {
  const rows = [...(await clientRows(context)), ...(await serverRows(context))]
  const active = rows.filter(({ from }) => from.unsentBytes > 0 || (from.state !== 'idle' && from.state !== 'used'))
  return listing<SocketRow>('SHOW', [...COLUMNS, ...BUFFERS, WORKER], active)
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) || 0 }
}
