/** A worker's numbers, as SHOW and /metrics want them. */
import type { Pool } from '../../pool/pool.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { nowUs } from '../observe/clock.ts'
import type { DatabaseContext } from '../execute/database-context.ts'
import type { ConsoleSession } from '../session/console-session.ts'
import type { Session } from '../session/session.ts'
import type { ClientReport, PoolReport, ServerReport, StatsReport, WorkerReport } from './messages.ts'
import type { Worker } from './worker.ts'

export function workerReport(worker: Worker): WorkerReport {
  const now = nowUs()
  const databases = [...worker.databases]
  const sessions = [...worker.clients.sessions.values()]
  const pools = databases.flatMap(database => [...database.pools.values()])
  const owners = new Map<ServerConnection, number>()
  for (const session of sessions) for (const link of session.executor.links.all()) owners.set(link.server, session.id)
  const cpu = process.cpuUsage()
  return {
    worker: worker.index,
    pid: process.pid,
    pools: pools.map(pool => poolReport(pool, worker, sessions, now)),
    clients: [
      ...sessions.map(session => clientReport(session, worker.index, now)),
      ...[...worker.clients.consoles].map(([id, console]) => consoleReport(id, console, worker.index)),
    ],
    servers: pools.flatMap(pool => [...pool.servers].map(server => serverReport(pool, server, worker.index, owners))),
    stats: databases.map(database => statsReport(database, sessions)),
    plans: databases.reduce((sum, database) => sum + (database.ready ? database.router.planCount : 0), 0),
    loginClients: worker.clients.loginClients,
    memoryBytes: process.memoryUsage.rss(),
    cpuUs: cpu.user + cpu.system,
  }
}

function poolReport(pool: Pool, { cancels }: Worker, sessions: readonly Session[], now: number): PoolReport {
  const { options } = pool
  let clientsActive = 0
  for (const session of sessions) {
    for (const link of session.executor.links.all()) if (link.pool === pool) clientsActive++
  }
  let beingCanceled = 0
  // Nobody's already, but for the cancel requests that are still on their way there.
  for (const { owner, state } of pool.servers) if (owner === null && state.cancels > 0) beingCanceled++
  return {
    database: options.database,
    user: options.user,
    shard: options.shard,
    address: options.address,
    role: options.role,
    size: pool.size,
    clientsActive,
    clientsWaiting: pool.waiting,
    cancelsActive: cancels.activeIn(pool),
    cancelsWaiting: cancels.waitingIn(pool),
    serversActive: pool.active,
    serversIdle: pool.free.idle,
    serversUsed: pool.free.used,
    serversTested: pool.free.tested,
    serversLogin: pool.opening.connecting,
    serversCanceled: beingCanceled,
    maxWaitUs: Math.round(pool.maxWaitUs(now)),
    mode: pool.settings.mode,
  }
}

function clientReport(session: Session, worker: number, now: number): ClientReport {
  const { socket, executor } = session
  const first = executor.links.first
  return {
    id: session.id,
    worker,
    user: session.user,
    database: session.database.name,
    state: session.state,
    addr: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    localAddr: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    connectTime: session.connectedAtMs,
    requestTime: session.requestAtMs,
    waitUs: Math.round(executor.waitUs(now)),
    link: first === undefined ? '' : `s${worker}-${first.server.id}`,
    tls: session.tls,
    applicationName: session.context.settings.values.get('application_name') ?? '',
    preparedStatements: session.steps.statements.count,
    unsentBytes: socket.writableLength,
    pins: [...executor.links.pins].join(', '),
  }
}

function consoleReport(id: number, console: ConsoleSession, worker: number): ClientReport {
  const { socket } = console
  return {
    id,
    worker,
    user: console.user,
    database: console.database,
    state: 'active',
    addr: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    localAddr: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    connectTime: console.connectedAtMs,
    requestTime: console.requestAtMs,
    waitUs: 0,
    link: '',
    tls: console.tls,
    applicationName: console.applicationName,
    preparedStatements: 0,
    unsentBytes: socket.writableLength,
    pins: '',
  }
}

function serverReport(
  pool: Pool,
  server: ServerConnection,
  worker: number,
  owners: ReadonlyMap<ServerConnection, number>,
): ServerReport {
  const owner = owners.get(server)
  const { state, socket } = server
  const offsetMs = Date.now() - nowUs() / 1000
  return {
    id: server.id,
    worker,
    user: pool.options.login.user,
    database: pool.options.database,
    shard: pool.options.shard,
    address: pool.options.address,
    role: pool.options.role,
    state: state.cancels > 0 ? 'being_canceled' : pool.free.stateOf(server),
    localAddr: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    connectTime: Math.round(state.connectedAtMs + offsetMs),
    requestTime: Math.round(state.requestAtMs + offsetMs),
    link: owner === undefined ? '' : `c${worker}-${owner}`,
    remotePid: server.identity.pid,
    tls: '',
    applicationName: state.settings.values.get('application_name') ?? '',
    preparedStatements: state.prepared.size,
    unsentBytes: socket.writableLength,
    closeNeeded: state.closeNeeded,
  }
}

function statsReport(database: DatabaseContext, sessions: readonly Session[]): StatsReport {
  const { stats } = database
  let sent = stats.bytesSent
  for (const session of sessions) if (session.database === database) sent += session.output.bytes
  return { ...stats, database: database.name, bytesSent: sent }
}
