/** Every command of the console, tried by each kind of user: nothing may be run that the table of rights does not give. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/admin/commands.ts'
import { refusal } from '../support/logins.ts'
import { errorOf, rowsOf, tagsOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { reload } from '../support/reload.ts'
import { startSystem, type System } from '../support/system.ts'

const CONSOLES = ['shardway', 'pgbouncer'] as const
/** Ways to write one command: what stands before, between and behind its words changes nothing about who may run it. */
const SPELLINGS: ReadonlyArray<(command: string) => string> = [
  command => command,
  command => command.toUpperCase(),
  command => `${command};`,
  command => `  ${command}\n;`,
  command => `/* show */ ${command}`,
  command => `-- show version\n${command}`,
  command => command.replaceAll(' ', '\t/**/'),
  command => `database=app ${command}`,
  command => `${command} database=app`,
  command => `${command} 'app'`,
  command => `${command} app`,
  command => `${command} 1`,
  command => `select ${command}`,
  command => `show ${command}`,
  command => `show version; ${command}`,
  command => `"${command}"`,
]

describe('rights at the console', () => {
  let system: System
  let processes: number[]
  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      shards: 1,
      replicas: 0,
      oracle: false,
      sections: { auth: { query: 'default' } },
      users: [
        { name: 'app', password: 'app', admin: true },
        { name: 'watch', password: 'watch', stats: true },
        { name: 'plain', password: 'plain' },
        { name: 'demoted', password: 'demoted', admin: true },
      ],
    })
    await system.cluster.everywhere(`CREATE ROLE found LOGIN SUPERUSER PASSWORD 'found'`)
    processes = childrenOf(system.shardway.pid)
  })
  afterAll(async () => await system.stop())

  /** PgBouncer gives SHOW FDS to admins only, and so do we. */
  const mayShow = (name: string): boolean => name.startsWith('show ') && name !== 'show fds'

  it.each(CONSOLES)('a stats user of %s shows, and commands nothing', { timeout: 120_000 }, async database => {
    const client = await system.connect()
    const wire = await system.connect({ database, user: 'watch', password: 'watch' })
    for (const { name, rights, run } of COMMANDS) {
      expect(rights, name).toBe(mayShow(name) ? 'stats' : 'admin')
      for (const spelling of SPELLINGS) {
        const sql = spelling(name)
        const messages = await wire.query(sql)
        const code = errorOf(messages)?.['C'] ?? null
        if (mayShow(name)) {
          if (sql === name) expect(code, sql).toBe(run === null ? '0A000' : null)
          continue
        }
        // What is no command in this spelling is a syntax error, and nothing that was run.
        expect(code, sql).toMatch(/^(42501|42601|0A000)$/)
        if (sql.trim().replace(/;$/, '').toLowerCase() === name) expect(code, sql).toBe('42501')
        expect(rowsOf(messages), sql).toEqual([])
      }
    }
    await wire.end()
    // Nothing of it had an effect.
    await client.run('SELECT name FROM countries')
    await client.end()
    expect(system.shardway.running).toBe(true)
    expect(childrenOf(system.shardway.pid)).toEqual(processes)
    const console = await system.console()
    expect(rowsOf(await console.run('SHOW STATE'))[0]).toContain('yes')
    expect(system.shardway.logs.some(line => line['event.action'] === 'reloaded')).toBe(false)
    await console.end()
  })

  it('nobody else enters, superusers of the servers neither', async () => {
    await (await system.connect({ user: 'found', password: 'found' })).end()
    for (const database of CONSOLES) {
      for (const user of ['plain', 'found']) {
        const fields = await refusal(system.connect({ database, user, password: user }))
        expect(fields).toMatchObject({ S: 'FATAL', C: '28000' })
      }
      for (const parameters of [{ options: '-c role=app' }, { session_authorization: 'app' }]) {
        const login = system.connect({ database, user: 'plain', password: 'plain', parameters })
        expect(await refusal(login)).toMatchObject({ C: '28000' })
      }
    }
    // Names are names: another case is another database.
    expect(await refusal(system.connect({ database: 'SHARDWAY' }))).toMatchObject({ C: '3D000' })
  })

  it('every command of the table is there for an admin', async () => {
    const console = await system.console()
    for (const { name } of COMMANDS.filter(one => mayShow(one.name))) {
      expect(errorOf(await console.query(name))?.['C'], name).not.toBe('42501')
    }
    const listed = rowsOf(await console.run('SHOW HELP')).map(([syntax]) => syntax?.toLowerCase() ?? '')
    for (const { name, run } of COMMANDS) {
      if (run !== null) expect(listed.some(syntax => syntax.startsWith(name))).toBe(true)
    }
    await console.end()
  })

  it('a right that a reload takes away is gone at once, in sessions that are open too', async () => {
    const open = await system.connect({ database: 'shardway', user: 'demoted', password: 'demoted' })
    expect(tagsOf(await open.run('RECONNECT app'))).toEqual(['RECONNECT'])
    const text = readFileSync(system.shardway.configPath, 'utf8')
    const block = /\[\[users\]\]\nname = "demoted"[^[]*/.exec(text)?.[0] ?? ''
    expect(block).toContain('admin = true')
    system.shardway.writeConfig(text.replace(block, block.replace('admin = true', 'admin = false')))
    await reload(system)
    for (const command of ['RECONNECT app', 'SHOW VERSION', 'RELOAD']) {
      expect(errorOf(await open.query(command))?.['C'], command).toBe('42501')
    }
    const again = system.connect({ database: 'shardway', user: 'demoted', password: 'demoted' })
    expect(await refusal(again)).toMatchObject({ C: '28000' })
    await open.end()
  })
})
