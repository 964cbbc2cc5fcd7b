/** Users with passwords of every kind, and what their logins are answered. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { formatVerifier, makeVerifier } from '../../src/protocol/scram-verifier.ts'
import { frames } from './frames.ts'
import type { System } from './system.ts'
import { type Wire, WireError } from './wire.ts'

export const md5 = (password: string, user: string): string =>
  `md5${createHash('md5')
    .update(password + user)
    .digest('hex')}`
export const verifier = (password: string): string => formatVerifier(makeVerifier(password))

/** Right passwords by user; `two` and `mixed` have two. `nobody` does not exist. */
export const RIGHT: Readonly<Record<string, readonly string[]>> = {
  app: ['app'],
  clear: ['clear-word'],
  two: ['first-word', 'second-word'],
  verified: ['verified-word'],
  mixed: ['mixed-word', 'other-word'],
}
export const users = [
  { name: 'app', password: 'app', admin: true },
  { name: 'clear', password: RIGHT['clear']![0]! },
  { name: 'two', password: [...RIGHT['two']!] },
  { name: 'verified', password: verifier('verified-word') },
  { name: 'mixed', password: [verifier('mixed-word'), 'other-word'] },
]
export const hashed = { name: 'hashed', password: [md5('hashed-word', 'hashed'), md5('hashed-too', 'hashed')] }
export const RIGHT_HASHED = { ...RIGHT, hashed: ['hashed-word', 'hashed-too'] }

export async function refusal(login: Promise<Wire>): Promise<Record<string, string>> {
  try {
    await login
  } catch (error) {
    if (error instanceof WireError) return error.fields
    throw error
  }
  throw new Error('the login succeeded')
}

/** First request of an authentication: its number, and what it carries. */
export async function firstRequest(system: System, user: string): Promise<readonly [number, number]> {
  const wire = await system.open()
  wire.send(frames.startup({ user, database: 'app' }))
  const { type, body } = await wire.next()
  expect(type).toBe('R')
  wire.destroy()
  return [body.readInt32BE(0), body.length]
}
