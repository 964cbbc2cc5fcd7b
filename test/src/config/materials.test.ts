import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfigWithNotes } from '../../../src/config/load.ts'
import { certificate } from '../../support/certificates.ts'

const REST = `
[[users]]
name = "app"
password = "plain-secret"
[[databases]]
name = "app"
[[databases.shards]]
name = "s0"
nodes = ["127.0.0.1:5432"]
`
const server = certificate('server')
const ca = certificate('ca')

describe('files that the configuration names', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'shardway-materials-'))
    writeFileSync(join(folder, 'server.crt'), server.cert)
    writeFileSync(join(folder, 'server.key'), server.key)
    writeFileSync(join(folder, 'other.key'), ca.key)
    writeFileSync(join(folder, 'ca.crt'), ca.cert)
    writeFileSync(join(folder, 'text'), 'no certificate')
    writeFileSync(join(folder, 'empty'), '')
    writeFileSync(join(folder, 'hba.conf'), 'host all all all scram-sha-256\n')
    writeFileSync(join(folder, 'cert.conf'), 'hostssl all all all cert\n')
    writeFileSync(join(folder, 'bad.conf'), 'host all all all md5\nhost all all samehost md5\nhost all +g all md5\n')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const load = (head: string) => {
    writeFileSync(join(folder, 'shardway.toml'), `${head}\n${REST}`)
    return loadConfigWithNotes(join(folder, 'shardway.toml'))
  }
  const problems = (head: string): readonly string[] => {
    try {
      load(head)
    } catch (error) {
      if (error instanceof ConfigError) return error.problems
      throw error
    }
    return []
  }

  it('are handed on by content', () => {
    const { materials } = load(`[listen.tls]\ncert = "server.crt"\nkey = "server.key"\nca = "ca.crt"
      [server.tls]\nca = "ca.crt"\n[auth]\nmethod = "hba"\nhba_file = "hba.conf"`)
    expect(materials.listenTls).toEqual({ cert: server.cert, key: server.key, ca: ca.cert })
    expect(materials.serverCa).toBe(ca.cert)
    expect(materials.hba).toHaveLength(1)
    expect(JSON.parse(JSON.stringify(materials))).toEqual(materials)
    expect(load('').materials).toEqual({ listenTls: null, serverCa: undefined, hba: null })
    // What is not used is not looked at.
    expect(load('[auth]\nhba_file = "gone"').materials.hba).toBeNull()
    expect(load('[listen.tls]\nmode = "disable"\ncert = "gone"\nkey = "gone"').materials.listenTls).toBeNull()
  })

  it.each([
    [
      '[listen.tls]\ncert = "gone"\nkey = "server.key"',
      [/^listen\.tls\.cert: ".*gone" cannot be read \(no such file\)$/],
    ],
    ['[listen.tls]\ncert = "server.crt"\nkey = "other.key"', [/^listen\.tls: .* are no certificate and its key/]],
    ['[listen.tls]\ncert = "text"\nkey = "server.key"', [/^listen\.tls: .* are no certificate and its key/]],
    ['[listen.tls]\ncert = "server.crt"\nkey = "empty"', [/^listen\.tls: .* are no certificate and its key/]],
    [
      '[listen.tls]\ncert = "server.crt"\nkey = "server.key"\nca = "text"',
      [/^listen\.tls\.ca: .* holds no certificates/],
    ],
    ['[server.tls]\nca = "empty"', [/^server\.tls\.ca: .* holds no certificates/]],
    [
      '[server.tls]\nca = "gone"\n[listen.tls]\ncert = "gone"\nkey = "gone"',
      [/listen\.tls\.cert/, /listen\.tls\.key/, /server\.tls\.ca/],
    ],
    ['[auth]\nmethod = "hba"\nhba_file = "gone"', [/^auth\.hba_file: ".*gone" cannot be read/]],
    ['[auth]\nmethod = "hba"\nhba_file = "empty"', [/^auth\.hba_file: ".*empty" has no rule/]],
    [
      '[auth]\nmethod = "hba"\nhba_file = "bad.conf"',
      [/bad\.conf", line 2: address/, /bad\.conf", line 3: found "\+g"/],
    ],
    ['[auth]\nmethod = "hba"\nhba_file = "cert.conf"', [/cert\.conf", line 1: method cert needs listen\.tls\.ca$/]],
  ])('%j', (head, expected) => {
    const found = problems(head)
    expect(found).toHaveLength(expected.length)
    for (const [i, pattern] of expected.entries()) expect(found[i]).toMatch(pattern)
    expect(found.join('\n')).not.toContain('PRIVATE KEY')
  })
})
