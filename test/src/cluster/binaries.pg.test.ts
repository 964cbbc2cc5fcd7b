import { afterEach, expect, test, vi } from 'vitest'
import { findBinaries } from '../../../src/cluster/binaries.ts'

afterEach(() => vi.unstubAllEnvs())

test('finds a server of a supported version', () => {
  const binaries = findBinaries()
  expect(binaries.major).toBeGreaterThanOrEqual(15)
  expect(binaries.major).toBeLessThanOrEqual(18)
})

test('a folder without binaries is an error that says what was looked at', () => {
  vi.stubEnv('SHARDWAY_PG_BIN', '/nonexistent/bin')
  expect(() => findBinaries('')).toThrow(/\/nonexistent\/bin: has no postgres/)
})

test('a version that is not there is an error with everything that was tried', () => {
  vi.stubEnv('SHARDWAY_PG_BIN', '')
  expect(() => findBinaries('99')).toThrow(/SHARDWAY_PG_VERSION=99.*Tried:/s)
})

test('a wrong SHARDWAY_PG_VERSION is refused', () => {
  expect(() => findBinaries('newest')).toThrow(/allowed: machine, embedded/)
})
