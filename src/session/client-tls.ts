/** TLS towards clients: the handshake, who the client's certificate says it is, and the bytes that came behind the login. */
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import tls from 'node:tls'
import type { ListenTls } from '../config/materials.ts'
import type { TlsContext } from '../execute/environment.ts'
import { endPointHash } from '../protocol/channel-binding.ts'

/** As registered for Postgres: https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-SSL */
export const ALPN = 'postgresql'

/** Null: an SSLRequest is answered N. */
export function listenTls(files: ListenTls | null): TlsContext | null {
  return files === null ? null : new ClientTls(files)
}

/**
 * Handshakes of one certificate. A tls.Server that never listens, since only it judges clients' certificates; the sockets
 * come from the control process and are told apart by their address.
 */
class ClientTls implements TlsContext {
  readonly endPoint: Buffer | null
  readonly #server: tls.Server
  readonly #waiting = new Map<string, (socket: tls.TLSSocket) => void>()

  constructor({ cert, key, ca }: ListenTls) {
    this.endPoint = endPointHash(new X509Certificate(cert).raw)
    this.#server = tls.createServer({
      cert,
      key,
      ...(ca === undefined ? {} : { ca, requestCert: true }),
      // Who has no good certificate hears so in a message, once it is known whether one is needed.
      rejectUnauthorized: false,
      ALPNProtocols: [ALPN],
      // The login as a whole has a limit.
      handshakeTimeout: 0,
    })
    this.#server.on('secureConnection', socket => this.#waiting.get(peerOf(socket))?.(socket))
    // The server closes the socket by itself.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  secure(plain: Socket, seen: Buffer | null, onSecure: (socket: tls.TLSSocket) => void): void {
    const peer = peerOf(plain)
    this.#waiting.set(peer, socket => {
      this.#waiting.delete(peer)
      onSecure(socket)
    })
    plain.once('close', () => this.#waiting.delete(peer))
    plain.pause()
    if (seen !== null) plain.unshift(seen)
    this.#server.emit('connection', plain)
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? 0} ${socket.localAddress ?? ''} ${socket.localPort ?? 0}`
}

/** For SHOW CLIENTS. */
export function describeTls(socket: tls.TLSSocket): string {
  return `${socket.getProtocol() ?? 'TLS'}/${socket.getCipher().name}`
}

/** True when [listen.tls] ca vouches for the client. */
export function hasCertificate(socket: Socket): boolean {
  return socket instanceof tls.TLSSocket && socket.authorized
}

/** The common name that the client's certificate proves; null without a certificate that is good. */
export function certifiedName(socket: Socket): string | null {
  if (!(socket instanceof tls.TLSSocket) || !socket.authorized) return null
  // A list, where the subject has several; then none of them is the name.
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' && name !== '' && !name.includes('\0') ? name : null
}

/** Gives the socket to its next reader, with what was read too far. */
export function continueWith(socket: Socket, rest: Buffer): void {
  if (rest.length > 0) socket.unshift(rest)
  socket.resume()
}
