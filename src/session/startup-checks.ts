/** What a startup packet may not ask for, before anybody is asked for a password. */
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { Account } from '../auth/account.ts'
import { isConsole } from '../auth/users.ts'
import type { Environment } from '../execute/environment.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { certifiedName, hasCertificate } from './client-tls.ts'
import { readParameters } from './startup-packet.ts'

export interface StartupRequest {
  readonly version: number
  readonly parameters: ReadonlyMap<string, string>
  readonly user: string
  readonly database: string
}

/** @throws ShardwayError */
function refuseVersion(version: number): void {
  if (version >>> 16 === 3) return
  throw new ShardwayError(
    'protocol_version',
    '0A000',
    `unsupported frontend protocol ${version >>> 16}.${version & 0xffff}: server supports 3.0`,
  )
}

/** @throws ShardwayError for another major version, or a packet that is none. */
export function readRequest(packet: Buffer, version: number): StartupRequest {
  refuseVersion(version)
  const parameters = readParameters(packet)
  const user = parameters.get('user') ?? ''
  return { version, parameters, user, database: parameters.get('database') || user }
}

/** @throws ShardwayError */
export function refuseRequest({ parameters, user }: StartupRequest): void {
  if (user === '') {
    throw new ShardwayError('no_user', '28000', 'no PostgreSQL user name specified in startup packet')
  }
  if (parameters.has('replication') && parameters.get('replication') !== 'false') {
    throw new ShardwayError('replication', '0A000', 'replication connections through the proxy are not supported', {
      hint: 'Connect to the server itself.',
    })
  }
}

/** Holds the connection against [listen.tls] mode. @throws ShardwayError */
export function refuseTransport(environment: Environment, socket: Socket, user: string): void {
  const { mode } = environment.config.listen.tls
  if (mode === 'disable' || mode === 'allow' || mode === 'prefer') return
  if (!(socket instanceof tls.TLSSocket)) {
    throw new ShardwayError('tls_required', '28000', 'TLS is required', { hint: 'Connect with sslmode=require.' })
  }
  if (mode === 'require') return
  if (!hasCertificate(socket)) throw certificateRequired()
  if (mode === 'verify-full' && certifiedName(socket) !== user) throw certificateRefused(user)
}

/** @throws ShardwayError */
export function refuseMore(environment: Environment, over: boolean, database: string): void {
  if (isConsole(database)) return
  if (environment.refusing) throw new ShardwayError('shutting_down', '57P01', 'the proxy is shutting down')
  if (over) {
    throw new ShardwayError('too_many_clients', '53300', 'no more connections allowed (max_client_conn)', {
      hint: 'Raise [pool] max_client_conn.',
    })
  }
}

/** Method cert: the certificate's common name is the user. @throws ShardwayError */
export function refuseUncertified(socket: Socket, account: Account): void {
  if (!hasCertificate(socket)) throw certificateRequired()
  if (!account.exists || certifiedName(socket) !== account.name) throw certificateRefused(account.name)
}

function certificateRequired(): ShardwayError {
  return new ShardwayError('certificate_required', '28000', 'connection requires a valid client certificate', {
    hint: 'Give the client a certificate that [listen.tls] ca has signed (sslcert, sslkey).',
  })
}

/** The same for who does not exist as for a certificate of somebody else. */
function certificateRefused(user: string): ShardwayError {
  return new ShardwayError('bad_certificate', '28000', `certificate authentication failed for user "${user}"`)
}

export function timedOut(limitMs: number): ShardwayError {
  return new ShardwayError('login_timeout', '08P01', 'client_login_timeout', {
    detail: `The client did not log in within ${limitMs} ms.`,
  })
}

/** Only what concerns who the client is: a crowd before a full house would fill the log. */
export function logRefusal(
  environment: Environment,
  socket: Socket,
  { user, database }: StartupRequest,
  error: ShardwayError,
): void {
  if (user === '' || !/^(28|3D)/.test(error.sqlstate)) return
  const reason = { 'error.code': error.code, 'error.message': error.message }
  const client = { 'client.address': socket.remoteAddress, user, database }
  environment.logWarning('a client was not let in', { event: 'login-refused', ...client, ...reason })
}
