/** An AdminContext over given reports, for tests of the console. */
import type { AdminContext } from '../../../src/admin/context.ts'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { parseConfig } from '../../../src/config/load.ts'
import type {
  ClientReport,
  PoolReport,
  ServerReport,
  StatsReport,
  Watermark,
  WorkerReport,
} from '../../../src/process/messages.ts'
import type { Topology } from '../../../src/topology/topology.ts'

export const FILE = `
[listen]
workers = 2
[[users]]
name = "app"
password = "very-secret-word"
admin = true
[[users]]
name = "watch"
password = "other-secret-word"
stats = true
pool = { default_pool_size = 3 }
[[databases]]
name = "app"
default_shard = "s0"
server_user = "app"
server_password = "server-secret-word"
control_password = "control-secret-word"
[[databases.shards]]
name = "s0"
nodes = ["10.0.0.1:5432", "10.0.0.2:5432"]
[[databases.shards]]
name = "s1"
nodes = ["10.0.1.1:5432", "10.0.1.2:5432"]
[[databases.tables]]
name = "customers"
key = "id"
[[databases.tables]]
name = "later"
key = "id"
`

export const SECRETS = ['very-secret-word', 'other-secret-word', 'server-secret-word', 'control-secret-word']

function node(address: string, role: 'primary' | 'replica', reachable = true) {
  const [host = '', port = ''] = address.split(':')
  return { address, host, port: Number(port), role, reachable, start: 'x/1', zone: '' }
}

export const TOPOLOGY: Topology = {
  epoch: 7,
  databases: [
    {
      name: 'app',
      defaultShard: 's0',
      shardNames: ['s0', 's1'],
      slotRuns: [
        [0, 0],
        [8192, 1],
        [16_000, 0],
      ],
      shards: [
        {
          name: 's0',
          dbname: 'app',
          term: 2,
          nodes: [node('10.0.0.1:5432', 'primary'), node('10.0.0.2:5432', 'replica')],
        },
        {
          name: 's1',
          dbname: 'app',
          term: 1,
          nodes: [node('10.0.1.1:5432', 'primary'), node('10.0.1.2:5432', 'replica', false)],
        },
      ],
    },
  ],
}

export const WATERMARKS: readonly Watermark[] = [
  { database: 'app', shard: 's0', address: '10.0.0.2:5432', start: 'x/1', replayedUs: 1, lagUs: 1_500_000 },
]

export function poolReport(part: Partial<PoolReport>): PoolReport {
  return {
    database: 'app',
    user: 'app',
    shard: 's0',
    address: '10.0.0.1:5432',
    role: 'primary',
    size: 10,
    clientsActive: 0,
    clientsWaiting: 0,
    cancelsActive: 0,
    cancelsWaiting: 0,
    serversActive: 0,
    serversIdle: 0,
    serversUsed: 0,
    serversTested: 0,
    serversLogin: 0,
    serversCanceled: 0,
    maxWaitUs: 0,
    mode: 'transaction',
    ...part,
  }
}

export function clientReport(part: Partial<ClientReport>): ClientReport {
  return {
    id: 1,
    worker: 0,
    user: 'app',
    database: 'app',
    state: 'idle',
    addr: '127.0.0.1',
    port: 50_000,
    localAddr: '127.0.0.1',
    localPort: 6432,
    connectTime: Date.UTC(2026, 0, 2, 3, 4, 5),
    requestTime: 0,
    waitUs: 0,
    link: '',
    tls: '',
    applicationName: 'psql',
    preparedStatements: 0,
    unsentBytes: 0,
    pins: '',
    ...part,
  }
}

export function serverReport(part: Partial<ServerReport>): ServerReport {
  return {
    id: 1,
    worker: 0,
    user: 'app',
    database: 'app',
    shard: 's0',
    address: '10.0.0.1:5432',
    role: 'primary',
    state: 'idle',
    localAddr: '127.0.0.1',
    localPort: 1,
    connectTime: 1,
    requestTime: 0,
    link: '',
    remotePid: 42,
    tls: '',
    applicationName: '',
    preparedStatements: 0,
    unsentBytes: 0,
    closeNeeded: false,
    ...part,
  }
}

export function statsReport(part: Partial<StatsReport>): StatsReport {
  return {
    database: 'app',
    assignments: 0,
    transactions: 0,
    queries: 0,
    bytesReceived: 0,
    bytesSent: 0,
    transactionTimeUs: 0,
    queryTimeUs: 0,
    waitTimeUs: 0,
    clientParses: 0,
    serverParses: 0,
    binds: 0,
    logins: 0,
    readsOnReplicas: 0,
    readsOnPrimaries: 0,
    refusals: 0,
    errors: 0,
    ...part,
  }
}

export function workerReport(part: Partial<WorkerReport>): WorkerReport {
  return {
    worker: 0,
    pid: 100,
    pools: [],
    clients: [],
    servers: [],
    stats: [],
    plans: 0,
    loginClients: 0,
    memoryBytes: 1,
    cpuUs: 1,
    ...part,
  }
}

export const REPORTS: readonly WorkerReport[] = [
  workerReport({
    pools: [
      poolReport({ serversActive: 1, serversIdle: 2, clientsWaiting: 1, maxWaitUs: 2_500_000 }),
      poolReport({ shard: 's1', address: '10.0.1.1:5432', serversIdle: 1 }),
    ],
    clients: [
      clientReport({ state: 'active', link: 's0-1' }),
      clientReport({ id: 2, state: 'waiting', waitUs: 2_500_000 }),
      clientReport({ id: 9, database: 'shardway', user: 'watch' }),
    ],
    servers: [serverReport({ state: 'active', link: 'c0-1' })],
    stats: [statsReport({ queries: 100, transactions: 50, queryTimeUs: 5000, bytesSent: 1000, waitTimeUs: 600 })],
    plans: 3,
  }),
  workerReport({
    worker: 1,
    pools: [poolReport({ serversActive: 2 })],
    clients: [clientReport({ id: 3, worker: 1, pins: 'temporary table' })],
    servers: [serverReport({ worker: 1, shard: 's1', address: '10.0.1.1:5432' })],
    stats: [statsReport({ queries: 20, transactions: 10, queryTimeUs: 1000, readsOnReplicas: 5 })],
    plans: 4,
  }),
]

export interface Calls {
  readonly calls: string[]
}

export function adminContext(part: Partial<AdminContext> = {}): AdminContext & Calls {
  const calls: string[] = []
  return {
    calls,
    config: parseConfig(FILE, '/', {}),
    configPath: '/etc/shardway.toml',
    version: '1.2.3',
    user: 'app',
    rights: { admin: true, stats: false },
    alias: 'shardway',
    nowMs: () => 61_000,
    topology: () => TOPOLOGY,
    catalogs: (): readonly Catalog[] => [],
    watermarks: () => WATERMARKS,
    reports: () => Promise.resolve(REPORTS),
    statsWindow: () => ({ atMs: 1000, stats: [statsReport({ queries: 60, queryTimeUs: 3000 })] }),
    reload: () => Promise.resolve(void calls.push('reload')),
    shutdown: mode => Promise.resolve(void calls.push(`shutdown ${mode}`)),
    killClient: id => {
      calls.push(`kill ${id}`)
      return Promise.resolve(id === 2)
    },
    pause: database => Promise.resolve(void calls.push(`pause ${database ?? '*'}`)),
    resume: database => void calls.push(`resume ${database ?? '*'}`),
    setDisabled: (database, disabled) => void calls.push(`${disabled ? 'disable' : 'enable'} ${database}`),
    kill: database => Promise.resolve(void calls.push(`kill-all ${database ?? '*'}`)),
    waitClose: database => Promise.resolve(void calls.push(`wait-close ${database ?? '*'}`)),
    isPaused: () => false,
    allPaused: () => false,
    isDisabled: () => false,
    reconnect: database => Promise.resolve(void calls.push(`reconnect ${database ?? '*'}`)),
    explain: request => {
      calls.push(JSON.stringify(request))
      return Promise.resolve([{ property: 'tier', value: 'single' }])
    },
    ...part,
  }
}
