/**
 * Channel binding of SCRAM: both sides prove that they see the same server certificate, so nobody stands between them.
 * tls-server-end-point: https://www.rfc-editor.org/rfc/rfc5929#section-4
 */
import { createHash } from 'node:crypto'

export const PLUS_HEADER = 'p=tls-server-end-point,,'

export interface ChannelBinding {
  /** What SCRAM calls the gs2 header. `y`: the client could, but was not offered it; a server that did offer it refuses that. */
  readonly header: 'n,,' | 'y,,' | typeof PLUS_HEADER
  readonly data: Buffer
}

export const NO_BINDING: ChannelBinding = { header: 'n,,', data: Buffer.alloc(0) }
export const NOT_OFFERED: ChannelBinding = { header: 'y,,', data: Buffer.alloc(0) }

export function endPointBinding(endPoint: Buffer): ChannelBinding {
  return { header: PLUS_HEADER, data: endPoint }
}

/** By the signature algorithm's OID; MD5 and SHA-1 are replaced by SHA-256, as the RFC demands. */
const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', // md5WithRSAEncryption
  '1.2.840.113549.1.1.5': 'sha256', // sha1WithRSAEncryption
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.10045.4.1': 'sha256', // ecdsa-with-SHA1
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}
const RSA_PSS = '1.2.840.113549.1.1.10'
const PSS_HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha256', // SHA-1
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '2.16.840.1.101.3.4.2.4': 'sha224',
}

const SEQUENCE = 0x30
const OID = 0x06
const CONTEXT_0 = 0xa0

/** Hash of a certificate (DER); null when its signature names no hash (Ed25519): then there is no channel binding. */
export function endPointHash(certificate: Buffer): Buffer | null {
  const algorithm = signatureHash(certificate)
  return algorithm === null ? null : createHash(algorithm).update(certificate).digest()
}

function signatureHash(certificate: Buffer): string | null {
  const whole = element(certificate, 0, SEQUENCE)
  const signed = whole === null ? null : element(certificate, whole.start, SEQUENCE)
  const algorithm = signed === null ? null : element(certificate, signed.end, SEQUENCE)
  const oid = algorithm === null ? null : element(certificate, algorithm.start, OID)
  if (oid === null) return null
  const name = oidText(certificate.subarray(oid.start, oid.end))
  if (name !== RSA_PSS) return HASHES[name] ?? null
  const parameters = element(certificate, oid.end, SEQUENCE)
  const tagged = parameters === null ? null : element(certificate, parameters.start, CONTEXT_0)
  // Without parameters the hash is SHA-1.
  if (tagged === null) return 'sha256'
  const hash = element(certificate, tagged.start, SEQUENCE)
  const hashOid = hash === null ? null : element(certificate, hash.start, OID)
  return hashOid === null ? null : (PSS_HASHES[oidText(certificate.subarray(hashOid.start, hashOid.end))] ?? null)
}

/** Bounds of the content of a DER element with this tag; null when something else stands there. */
function element(bytes: Buffer, at: number, tag: number): { readonly start: number; readonly end: number } | null {
  const first = bytes[at + 1]
  if (bytes[at] !== tag || first === undefined) return null
  let length = first
  let start = at + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4 || start + count > bytes.length) return null
    length = bytes.readUIntBE(start, count)
    start += count
  }
  return start + length > bytes.length ? null : { start, end: start + length }
}

function oidText(bytes: Buffer): string {
  const first = bytes[0] ?? 0
  const parts = [Math.min(2, Math.floor(first / 40))]
  parts.push(first - (parts[0] ?? 0) * 40)
  let value = 0
  for (const byte of bytes.subarray(1)) {
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) {
      parts.push(value)
      value = 0
    }
  }
  return parts.join('.')
}
