import { describe, expect, it } from 'vitest'
import { formatDurationMs, formatSizeBytes, parseDurationMs, parseSizeBytes } from '../../../src/config/durations.ts'
import { parseHostPort, parseQualifiedName } from '../../../src/config/names.ts'

describe('durations and sizes', () => {
  it.each([
    ['0', 0],
    ['500ms', 500],
    ['1.5s', 1500],
    ['120s', 120_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['5', null],
    ['', null],
    ['-1s', null],
    ['1y', null],
    ['99999999999999d', null],
  ])('%s is %s ms', (text, ms) => expect(parseDurationMs(text)).toBe(ms))

  it.each([
    ['0', 0],
    ['10B', 10],
    ['1KiB', 1024],
    ['64MiB', 67_108_864],
    ['1GiB', 1024 ** 3],
    ['64MB', null],
    ['64', null],
  ])('%s is %s bytes', (text, bytes) => expect(parseSizeBytes(text)).toBe(bytes))

  it('are written back as they were', () => {
    for (const text of ['0', '500ms', '90s', '2m', '1h', '3d'])
      expect(formatDurationMs(parseDurationMs(text)!)).toBe(text)
    for (const text of ['0', '3B', '512KiB', '64MiB', '1GiB']) expect(formatSizeBytes(parseSizeBytes(text)!)).toBe(text)
  })
})

describe('names', () => {
  it.each([
    ['127.0.0.1:5432', { host: '127.0.0.1', port: 5432 }],
    ['db.example:1', { host: 'db.example', port: 1 }],
    ['[::1]:5432', { host: '::1', port: 5432 }],
    ['::1:5432', null],
    ['host', null],
    ['host:0', null],
    ['host:65536', null],
    ['ho st:5432', null],
  ])('%s is a host and a port', (text, expected) => expect(parseHostPort(text)).toEqual(expected))

  it.each([
    ['orders', { schema: 'public', name: 'orders' }],
    ['sales.orders', { schema: 'sales', name: 'orders' }],
    ['"odd.schema"."A ""b"""', { schema: 'odd.schema', name: 'A "b"' }],
    ['a.b.c', null],
    ['', null],
    ['a b', null],
  ])('%s is a table', (text, expected) => expect(parseQualifiedName(text)).toEqual(expected))
})
