import { createHash, createHmac, pbkdf2, pbkdf2Sync, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { saslprep } from './saslprep.ts'

/** What a server keeps of a password (RFC 5803, as in pg_authid.rolpassword). */
export interface Verifier {
  readonly iterations: number
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/**
 * What logs in to a server that holds the same verifier, without the password: the client key, recovered from a proof. As
 * good as the password there: kept in memory only, never shown.
 */
export interface ScramKeys {
  readonly clientKey: Buffer
  readonly serverKey: Buffer
  readonly salt: Buffer
  readonly iterations: number
}

export const DEFAULT_ITERATIONS = 4096
export const SALT_BYTES = 16
export const KEY_BYTES = 32

const VERIFIER = /^SCRAM-SHA-256\$([1-9][0-9]{0,9}):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+=?):([A-Za-z0-9+/]+=?)$/
const MAX_INT32 = 0x7fffffff

/** Reads `SCRAM-SHA-256$4096:salt$stored:server`; null for anything else (then the text is a plain password). */
export function parseVerifier(text: string): Verifier | null {
  const match = VERIFIER.exec(text)
  if (match === null) return null
  const iterations = Number(match[1])
  const salt = Buffer.from(match[2] ?? '', 'base64')
  const storedKey = Buffer.from(match[3] ?? '', 'base64')
  const serverKey = Buffer.from(match[4] ?? '', 'base64')
  if (iterations > MAX_INT32 || salt.length === 0) return null
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) return null
  return { iterations, salt, storedKey, serverKey }
}

/** Takes milliseconds (PBKDF2): callers keep what they get. */
export function makeVerifier(
  password: string,
  iterations: number = DEFAULT_ITERATIONS,
  salt: Buffer = randomBytes(SALT_BYTES),
): Verifier {
  return verifierOf(saltPassword(password, salt, iterations), iterations, salt)
}

const pbkdf2Async = promisify(pbkdf2)

/** The same off the event loop. */
export async function makeVerifierAsync(password: string, iterations: number, salt: Buffer): Promise<Verifier> {
  return verifierOf(await saltPasswordAsync(password, salt, iterations), iterations, salt)
}

/**
 * For a user who does not exist: the same salt at each try, as for one who does, and keys that nothing hashes to. The
 * exchange runs to its end and fails there.
 */
export function mockVerifier(user: string, seed: Buffer, iterations: number = DEFAULT_ITERATIONS): Verifier {
  return {
    iterations,
    salt: saltOf(user, seed),
    storedKey: hmac(seed, `stored key ${user}`),
    serverKey: hmac(seed, `server key ${user}`),
  }
}

/** The salt of a user's plain passwords, and of users unknown: not told apart. */
export function saltOf(user: string, seed: Buffer): Buffer {
  return hmac(seed, `salt ${user}`).subarray(0, SALT_BYTES)
}

/** The text form, as `ALTER ROLE ... PASSWORD` takes it. */
export function formatVerifier(verifier: Verifier): string {
  const base64 = (bytes: Buffer): string => bytes.toString('base64')
  const { iterations, salt, storedKey, serverKey } = verifier
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`
}

export function saltPassword(password: string, salt: Buffer, iterations: number): Buffer {
  return pbkdf2Sync(Buffer.from(saslprep(password)), salt, iterations, KEY_BYTES, 'sha256')
}

export function saltPasswordAsync(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return pbkdf2Async(Buffer.from(saslprep(password)), salt, iterations, KEY_BYTES, 'sha256')
}

export function clientKeyOf(saltedPassword: Buffer): Buffer {
  return hmac(saltedPassword, 'Client Key')
}

export function serverKeyOf(saltedPassword: Buffer): Buffer {
  return hmac(saltedPassword, 'Server Key')
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** Text is taken byte for byte as latin1: SCRAM messages are kept in strings that way. */
export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'latin1').digest()
}

export function xor(left: Buffer, right: Buffer): Buffer {
  const result = Buffer.alloc(left.length)
  for (let i = 0; i < left.length; i++) result[i] = (left[i] ?? 0) ^ (right[i] ?? 0)
  return result
}

function verifierOf(saltedPassword: Buffer, iterations: number, salt: Buffer): Verifier {
  return { iterations, salt, storedKey: sha256(clientKeyOf(saltedPassword)), serverKey: serverKeyOf(saltedPassword) }
}
