import { execFile } from 'node:child_process'
import { createHash, createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/admin/commands.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import {
  clientKeyOf,
  formatVerifier,
  makeVerifier,
  parseVerifier,
  saltPassword,
} from '../../src/protocol/scram-verifier.ts'
import { certificate } from '../support/certificates.ts'
import { frames } from '../support/frames.ts'
import type { Message } from '../support/messages.ts'
import { changeConfig, reload } from '../support/reload.ts'
import { startSystem, type System } from '../support/system.ts'
import { connectTls } from '../support/tls-wire.ts'
import { type Wire, WireError } from '../support/wire.ts'

const run = promisify(execFile)
const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')
const words = {
  listed: 'zq-listed-word',
  second: 'zq-second-word',
  verified: 'zq-verified-word',
  found: 'zq-found-word',
}
const verifier = formatVerifier(makeVerifier(words.verified))
const typed = 'zq-typed-by-mistake'

/** All forms in which a secret could get out. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [secret, bytes.toString('base64'), bytes.toString('hex')]
}

describe('secrets', () => {
  let system: System
  let secrets: string[]
  /** Everything that anyone was told. */
  const told: string[] = []

  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      oracle: false,
      passThrough: true,
      sections: { log: { level: 'trace' }, auth: { query: 'default' } },
      users: [
        { name: 'app', password: ['app', words.second], admin: true },
        { name: 'verified', password: verifier },
        { name: 'listed', password: words.listed },
      ],
    })
    await system.cluster.everywhere(`CREATE ROLE verified LOGIN PASSWORD '${verifier}';
      CREATE ROLE found LOGIN PASSWORD '${words.found}'; CREATE ROLE fives LOGIN`)
    const [shard] = system.cluster.shards
    const { rows } = await shard!.primary.server.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'found'")
    const found = (rows[0] as { rolpassword: string }).rolpassword
    const keyBody = createPrivateKey(certificate('server').key)
      .export({ type: 'pkcs8', format: 'der' })
      .toString('base64')
    const scram = [
      [verifier, words.verified],
      [found, words.found],
    ].flatMap(([text = '', word = '']) => {
      const { salt, iterations, storedKey, serverKey } = parseVerifier(text)!
      const clientKey = clientKeyOf(saltPassword(word, salt, iterations))
      return [storedKey, serverKey, clientKey].flatMap(bytes => [bytes.toString('base64'), bytes.toString('hex')])
    })
    const control = system.cluster.superuser.password
    const plain = [...Object.values(words), typed, verifier, found, control, keyBody.slice(40, 80)]
    secrets = [...plain.flatMap(formsOf), ...scram]
    await shard!.primary.server.query(`ALTER ROLE fives PASSWORD 'md5${createHash('md5').update('x').digest('hex')}'`)
  })
  afterAll(async () => await system.stop())

  function hear(messages: readonly Message[]): void {
    for (const { body } of messages) told.push(body.toString('utf8'))
  }

  async function attempt(login: Promise<Wire>): Promise<void> {
    try {
      const wire = await login
      hear(await wire.query('SELECT nonsense'))
      await wire.end()
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      told.push(JSON.stringify(error.fields))
    }
  }

  it('stand in no log, no SHOW, no metric, no page, no command’s output and no error', async () => {
    const { certPath, keyPath } = certificate('server')
    await changeConfig(system, { listen: { tls: { mode: 'prefer', cert: certPath, key: keyPath } } })
    // Logins of all kinds: right, wrong, with the password where the name or the database should be.
    for (const [user, password] of [
      ['app', words.second],
      ['verified', words.verified],
      ['listed', words.listed],
      ['found', words.found],
      ['found', typed],
      ['verified', typed],
      ['nobody', typed],
      ['fives', typed],
    ] as const) {
      await attempt(system.connect({ user, password }))
      await attempt(connectTls({ ...system.target({ user, password }) }))
    }
    const broken = await system.open()
    broken.send(frames.startup({ user: 'app', database: 'app' }), frames.password(`${typed}\0`))
    hear(await broken.rest())
    // A reload with a broken file, and one with a method that asks for passwords in clear text.
    await changeConfig(system, { auth: { method: 'plain' } })
    await attempt(system.connect({ user: 'verified', password: words.verified }))
    await attempt(system.connect({ user: 'found', password: typed }))
    await changeConfig(system, { auth: { method: 'nonsense' } }, 'reload-refused')
    await changeConfig(system, { auth: { method: 'scram-sha-256' } })
    await reload(system)

    const console = await system.connect({ database: 'shardway', password: words.second })
    for (const { name } of COMMANDS.filter(one => /^show/i.test(one.name))) {
      hear(await console.query(name))
    }
    for (const kind of ['select nonsense', 'SHOW password', 'SHOW secret']) {
      hear(await console.query(kind))
    }
    await console.end()
    for (const path of ['/metrics', '/api/topology', '/', '/readyz', '/healthz', '/nothing']) {
      told.push(await (await fetch(`${system.shardway.httpUrl}${path}`)).text())
    }
    const environment = { ...process.env, SHARDWAY_ADMIN: system.shardway.adminUrl }
    for (const args of [
      ['check', '-c', system.shardway.configPath],
      ['status'],
      ['explain', 'SELECT 1'],
      ['state', 'show'],
    ]) {
      const ended = await run(process.execPath, [MAIN, ...args], { env: environment }).catch(
        (error: { stdout: string; stderr: string }) => error,
      )
      told.push(ended.stdout, ended.stderr)
    }
    told.push(...system.shardway.lines)

    const everything = told.join('\n')
    expect(everything).toContain('a client was not let in')
    expect(everything.length).toBeGreaterThan(20_000)
    for (const secret of secrets) expect(everything.includes(secret), secret).toBe(false)
  })
})
