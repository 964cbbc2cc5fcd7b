/** Connections of the control user: health, watermarks, catalogs, the mirror. Never on the data path. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { Client } from 'pg'
import type { Config } from '../src/config/schema.ts'
import { ControlGuard } from './control-guard.ts'

export interface ControlTarget {
  readonly host: string
  readonly port: number
  readonly dbname: string
  readonly user: string
  readonly password: string
}

export interface ControlOptions {
  readonly tls: Config['server']['tls']
  readonly connectTimeoutMs: number
  readonly queryTimeoutMs: number
  readonly applicationName: string
}

function tlsOptions(tls: ControlOptions['tls'], host: string): ConnectionOptions {
  const ca = tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) }
  // An address is no server name: pg then holds the certificate against the host.
  if (tls.mode === 'verify-full') return isIP(host) === 0 ? { ...ca, servername: host } : ca
  if (tls.mode === 'verify-ca') return { ...ca, checkServerIdentity: () => undefined }
  return { rejectUnauthorized: false }
}

function clientFor(target: ControlTarget, options: ControlOptions, ssl: boolean): Client {
  return new Client({
    host: target.host,
    port: target.port,
    database: target.dbname,
    user: target.user,
    password: target.password,
    ssl: ssl ? tlsOptions(options.tls, target.host) : false,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    keepAlive: true,
    application_name: options.applicationName,
    // A control statement's meaning must not depend on what the database or role has set.
    // JIT: the planner's estimates for the catalog's queries ask for it, and compiling takes ten times what it then saves.
    options: '-c statement_timeout=0 -c default_transaction_read_only=off -c lock_timeout=0 -c jit=off',
  })
}

/** What of pg's own connection is used here: not in @types/pg; there since pg 6. */
interface Inner {
  stream?: Duplex
  attachListeners?: (stream: Duplex) => void
}

function innerOf(client: Client): Inner {
  return (client as unknown as { connection?: Inner }).connection ?? {}
}

/**
 * pg's parser throws on messages that are malformed, out of the socket's event: that would end the process. What it would not
 * even throw on, the guard finds before it.
 */
function surviveGarbage(client: Client): void {
  const inner = innerOf(client)
  const attach = inner.attachListeners?.bind(inner)
  if (attach === undefined) return
  inner.attachListeners = stream => {
    const guard = new ControlGuard()
    const emit = stream.emit.bind(stream) as (event: string | symbol, ...values: unknown[]) => boolean
    stream.emit = (event: string | symbol, ...values: unknown[]): boolean => {
      if (event !== 'data') return emit(event, ...values)
      try {
        if (values[0] instanceof Buffer) guard.check(values[0])
        return emit(event, ...values)
      } catch (error) {
        stream.destroy(error instanceof Error ? error : new Error(String(error)))
        return true
      }
    }
    attach(stream)
  }
}

function refusedTls(error: unknown): boolean {
  // pg has no code for a server that answers N.
  return error instanceof Error && error.message === 'The server does not support SSL connections'
}

/** Ends at once, also when the server does not answer: `end()` alone waits for it. Never throws. */
export function dropConnection(client: Client): void {
  client.removeAllListeners('error')
  client.on('error', () => undefined)
  client.end().catch(() => undefined)
  setTimeout(() => innerOf(client).stream?.destroy(), 50).unref()
}

async function connectOnce(target: ControlTarget, options: ControlOptions, ssl: boolean): Promise<Client> {
  const client = clientFor(target, options, ssl)
  // Without a listener an error after connect() would end the process.
  client.on('error', () => undefined)
  surviveGarbage(client)
  try {
    await client.connect()
    // Not among the options above: the setting's reset value must stay the server's own, which the catalog reads.
    await client.query('SET search_path = pg_catalog')
    return client
  } catch (error) {
    dropConnection(client)
    throw error
  }
}

/** Connected, with an error listener attached. The caller ends it with `dropConnection`. */
export async function connectControl(target: ControlTarget, options: ControlOptions): Promise<Client> {
  const { mode } = options.tls
  if (mode === 'disable' || mode === 'allow') return connectOnce(target, options, false)
  try {
    return await connectOnce(target, options, true)
  } catch (error) {
    if (mode === 'prefer' && refusedTls(error)) return connectOnce(target, options, false)
    throw error
  }
}
