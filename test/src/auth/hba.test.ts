import { describe, expect, it } from 'vitest'
import { Hba } from '../../../src/auth/hba.ts'
import { parseHba } from '../../../src/config/hba-file.ts'

const client = { address: '127.0.0.1', tls: false, user: 'app', database: 'app' }

describe('Hba', () => {
  it.each([
    ['host all all all md5', {}, 'md5'],
    ['host all all all reject\nhost all all all trust', {}, 'reject'],
    ['hostssl all all all md5', {}, null],
    ['hostssl all all all md5', { tls: true }, 'md5'],
    ['hostnossl all all all md5', { tls: true }, null],
    ['local all all trust', {}, null],
    ['host sameuser all all md5', {}, 'md5'],
    ['host sameuser all all md5', { database: 'other' }, null],
    ['host "sameuser" all all md5', {}, null],
    ['host all "all" all md5', {}, null],
    ['host all "all" all md5', { user: 'all' }, 'md5'],
    ['host other,app x,app all md5', {}, 'md5'],
    ['host App all all md5', {}, null],
    ['host replication all all md5', { database: 'replication' }, null],
    ['host all all 127.0.0.0/8 md5', {}, 'md5'],
    ['host all all 127.0.0.99/8 md5', {}, 'md5'],
    ['host all all 10.0.0.0/8 md5', {}, null],
    ['host all all 127.0.0.1/32 md5', { address: '::ffff:127.0.0.1' }, 'md5'],
    ['host all all 0.0.0.0/0 md5', { address: '2001:db8::1' }, null],
    ['host all all ::/0 md5', { address: '2001:db8::1' }, 'md5'],
    ['host all all ::/0 md5', {}, null],
    ['host all all 2001:db8::/33 md5', { address: '2001:db8:7fff::1' }, 'md5'],
    ['host all all 2001:db8::/33 md5', { address: '2001:db8:8000::1' }, null],
    ['host all all 127.0.0.1/32 md5', { address: '' }, null],
  ])('%s, %o: %s', (text, changes, expected) => {
    const { rules, problems } = parseHba(text, '/')
    expect(problems).toEqual([])
    expect(new Hba(rules).methodFor({ ...client, ...changes })).toBe(expected)
  })
})
