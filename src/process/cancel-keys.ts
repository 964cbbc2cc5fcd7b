/** Cancel keys: the pid names the worker that the session is with; 25 bits of it are random, and a secret
 * of 4 bytes (protocol 3.0) or 32 (3.2) makes the key unguessable. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { CancelKey } from '../execute/environment.ts'

const RANDOM_BITS = 25
const RANDOM_MASK = (1 << RANDOM_BITS) - 1
/** Workers that fit beside the random bits into a positive int32. */
export const MAX_WORKERS = 64

export function workerOfKey(pid: number): number {
  return (pid >>> RANDOM_BITS) & (MAX_WORKERS - 1)
}

export function newCancelKey(worker: number, secretBytes: number, taken: (pid: number) => boolean): CancelKey {
  for (;;) {
    const pid = (worker << RANDOM_BITS) | (randomBytes(4).readUInt32BE(0) & RANDOM_MASK)
    if (pid !== 0 && !taken(pid)) return { pid, secret: Buffer.from(randomBytes(secretBytes)) }
  }
}

/** In constant time: how much of a key was right must not be told. */
export function isSecret(given: Buffer, secret: Buffer): boolean {
  return given.length === secret.length && timingSafeEqual(given, secret)
}
