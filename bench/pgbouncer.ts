/** One PgBouncer in transaction mode in front of one Postgres database, on a port of its own. */
import { chmod, chown, copyFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../src/cluster/ports.ts'
import { makeTemporaryFolder, runAsUser } from '../src/cluster/run-as.ts'
import { supervisor } from '../src/cluster/supervisor.ts'
import { GiveUp, waitFor } from '../src/cluster/wait.ts'

export interface PgBouncerOptions {
  readonly binary: string
  readonly serverHost: string
  readonly serverPort: number
  readonly database: string
  readonly user: string
  readonly password: string
  readonly poolSize: number
}

export interface RunningPgBouncer {
  readonly port: number
  readonly pid: number
}

/** It ends with the kit's supervisor, however the bench ends. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<RunningPgBouncer> {
  const port = await freePort()
  // PgBouncer refuses to run as root, and the user it runs as instead may not be able to enter the checkout.
  const runAs = runAsUser()
  const folder = makeTemporaryFolder('shardway-pgbouncer-', runAs)
  supervisor().discardAtEnd(folder)
  const binary = join(folder, 'pgbouncer')
  const settings = join(folder, 'pgbouncer.ini')
  const users = join(folder, 'users.txt')
  const log = join(folder, 'pgbouncer.log')
  await copyFile(options.binary, binary)
  await chmod(binary, 0o755)
  await writeFile(settings, configuration(options, port, users))
  await writeFile(users, `"${options.user}" "${options.password}"\n`, { mode: 0o600 })
  if (runAs !== null) await Promise.all([settings, users].map(file => chown(file, runAs.uid, runAs.gid)))
  const child = await supervisor().start(binary, { args: ['-q', settings], runAs, log, cwd: folder })
  await waitFor(
    'PgBouncer accepts connections',
    () => {
      if (child.exit() !== undefined) throw new GiveUp(`PgBouncer ended at once; its log is ${log}`)
      return accepts(port)
    },
    { timeoutMs: 10_000 },
  )
  return { port, pid: child.pid }
}

function configuration(options: PgBouncerOptions, port: number, users: string): string {
  return `[databases]
${options.database} = host=${options.serverHost} port=${options.serverPort} dbname=${options.database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${options.poolSize}
max_client_conn = 1000
max_prepared_statements = 200
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
log_stats = 0
`
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}
