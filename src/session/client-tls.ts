/** The listener's side of a client's socket: certificate, and the bytes that came behind the login. */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { Config } from '../config/schema.ts'
import type { TlsContext } from '../execute/environment.ts'

/** Null: an SSLRequest is answered N. */
export function listenTls({ mode, cert, key }: Config['listen']['tls']): TlsContext | null {
  if (cert === undefined || key === undefined || mode === 'disable') return null
  return { secureContext: tls.createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) }) }
}

/** Gives the socket to its next reader, with what was read too far. */
export function continueWith(socket: Socket, rest: Buffer): void {
  if (rest.length > 0) socket.unshift(rest)
  socket.resume()
}
