/** Clients that speak TLS: by asking first (SSLRequest), or at once. */
import tls from 'node:tls'
import { endPointBinding, endPointHash } from '../../src/protocol/channel-binding.ts'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import { makeNonce } from '../../src/protocol/scram-message.ts'
import type { Certificate } from './certificates.ts'
import { frames } from './frames.ts'
import { fieldsOf, type Message } from './messages.ts'
import { Wire, WireError, type WireOptions } from './wire.ts'

export interface TlsOptions {
  /** What the client itself shows. */
  readonly certificate?: Certificate
  /** PEM; absent: any certificate is taken. */
  readonly ca?: string
  readonly servername?: string
  /** TLS from the first byte, with this list of protocols. */
  readonly direct?: readonly string[]
}

/** A connection under TLS on which nothing was said yet. */
export async function openTls(target: { host: string; port: number }, options: TlsOptions = {}): Promise<Wire> {
  const { certificate, ca, servername = 'localhost', direct } = options
  const plain = await Wire.open(target)
  if (direct === undefined) {
    plain.send(frames.sslRequest)
    const answer = (await plain.bytes(1)).toString()
    if (answer !== 'S') throw new Error(`the request for TLS was answered ${answer}`)
  }
  plain.socket.removeAllListeners()
  const secured = tls.connect({
    socket: plain.socket,
    servername,
    ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
    ...(direct === undefined || direct.length === 0 ? {} : { ALPNProtocols: [...direct] }),
  })
  await new Promise<void>((resolve, reject) => {
    secured.once('secureConnect', resolve)
    secured.once('error', reject)
    secured.once('close', () => reject(new Error('the connection was closed in the handshake')))
  })
  return Wire.over(secured)
}

export async function connectTls(target: WireOptions, options: TlsOptions = {}): Promise<Wire> {
  const wire = await openTls(target, options)
  try {
    await wire.login(target)
  } catch (error) {
    wire.destroy()
    throw error
  }
  return wire
}

/** tls-server-end-point of the certificate that the server showed. */
export function endPointOf(wire: Wire): Buffer {
  const raw = (wire.socket as tls.TLSSocket).getPeerX509Certificate()?.raw
  const hash = raw === undefined ? null : endPointHash(raw)
  if (hash === null) throw new Error('the certificate has no end point')
  return hash
}

/** Logs in by SCRAM-SHA-256-PLUS, by a binding of one's choice; resolves with the mechanisms that were offered. */
export async function loginPlus(wire: Wire, target: WireOptions, endPoint: Buffer): Promise<string[]> {
  wire.send(frames.startup({ user: target.user, database: target.database }))
  const offered = (await expectAuthentication(wire)).body.subarray(4).toString('latin1').split('\0').filter(Boolean)
  const scram = new ScramClient(target.password, makeNonce(), '', endPointBinding(endPoint))
  const first = scram.first()
  wire.send(frames.password(Buffer.concat([Buffer.from('SCRAM-SHA-256-PLUS\0'), frames.int32(first.length), first])))
  wire.send(frames.password(scram.next((await expectAuthentication(wire)).body.subarray(4))))
  scram.verify((await expectAuthentication(wire)).body.subarray(4))
  await wire.until('Z')
  return offered
}

async function expectAuthentication(wire: Wire): Promise<Message> {
  const message = await wire.next()
  if (message.type === 'E') throw new WireError(fieldsOf(message))
  return message
}
