/** SHOW CLIENTS and SHOW SERVERS. */
import type { ClientReport, ConsoleResult, ServerReport } from '../../process/messages.ts'
import type { AdminContext } from '../context.ts'
import { int4, listing, text, timeText } from '../result.ts'

/** An id as PgBouncer shows its pointers: tools only compare them with `link`. */
export function pointer(kind: 'client' | 'server', worker: number, id: number): string {
  return `${kind === 'client' ? 'c' : 's'}${worker}-${id}`
}

export async function showClients(context: AdminContext): Promise<ConsoleResult> {
  const clients = (await context.reports()).flatMap(report => report.clients)
  return listing<ClientReport>(
    'SHOW',
    [
      text('type', () => 'C'),
      text('user', row => row.user),
      text('database', row => row.database),
      text('replication', () => 'none'),
      text('state', row => row.state),
      text('addr', row => row.addr),
      int4('port', row => row.port),
      text('local_addr', row => row.localAddr),
      int4('local_port', row => row.localPort),
      text('connect_time', row => timeText(row.connectTime)),
      text('request_time', row => timeText(row.requestTime)),
      int4('wait', row => Math.floor(row.waitUs / 1e6)),
      int4('wait_us', row => Math.round(row.waitUs % 1e6)),
      int4('close_needed', () => 0),
      text('ptr', row => pointer('client', row.worker, row.id)),
      text('link', row => row.link),
      int4('remote_pid', () => 0),
      text('tls', row => row.tls),
      text('application_name', row => row.applicationName),
      int4('prepared_statements', row => row.preparedStatements),
      int4('id', row => row.id),
      int4('worker', row => row.worker),
      text('pins', row => row.pins),
    ],
    clients.toSorted((a, b) => a.id - b.id),
  )
}

export async function showServers(context: AdminContext): Promise<ConsoleResult> {
  const servers = (await context.reports()).flatMap(report => report.servers)
  return listing<ServerReport>(
    'SHOW',
    [
      text('type', () => 'S'),
      text('user', row => row.user),
      text('database', row => row.database),
      text('replication', () => 'none'),
      text('state', row => row.state),
      text('addr', row => splitAddress(row.address).host),
      int4('port', row => splitAddress(row.address).port),
      text('local_addr', row => row.localAddr),
      int4('local_port', row => row.localPort),
      text('connect_time', row => timeText(row.connectTime)),
      text('request_time', row => timeText(row.requestTime)),
      int4('wait', () => 0),
      int4('wait_us', () => 0),
      int4('close_needed', row => (row.closeNeeded ? 1 : 0)),
      text('ptr', row => pointer('server', row.worker, row.id)),
      text('link', row => row.link),
      int4('remote_pid', row => row.remotePid),
      text('tls', row => row.tls),
      text('application_name', row => row.applicationName),
      int4('prepared_statements', row => row.preparedStatements),
      int4('id', row => row.id),
      int4('worker', row => row.worker),
      text('shard', row => row.shard),
      text('role', row => row.role),
    ],
    servers.toSorted((a, b) => a.worker - b.worker || a.id - b.id),
  )
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) || 0 }
}
