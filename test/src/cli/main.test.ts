/** The compiled program: usage, exit codes, what it says without a proxy. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../../src/cluster/ports.ts'
import { projectRoot } from '../../../src/cluster/project-root.ts'

const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function shardway(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shardway-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('wrong usage ends with 2', () => {
  it.each([
    [[]],
    [['bogus']],
    [['show']],
    [['show', 'nothing']],
    [['show', 'pools', '--bogus']],
    [['serve']],
    [['check']],
    [['explain']],
    [['kill_client', '1', '2']],
    [['start', '--bogus']],
  ])('%j', async args => {
    const ended = await shardway(args)
    expect(ended.code).toBe(2)
    expect(ended.stderr).not.toBe('')
    expect(ended.stderr).not.toContain('    at ')
  })
})

describe('help and version end with 0', () => {
  it.each([[['--help']], [['--version']], [['show', '--help']], [['start', '--help']]])('%j', async args => {
    expect(await shardway(args)).toMatchObject({ code: 0, stderr: '' })
  })
})

it('explain --help says where the statement and its values go', async () => {
  const { stdout } = await shardway(['explain', '--help'])
  expect(stdout).toContain("Usage: shardway explain [options] 'SQL' ['PARAM' ...]")
  expect(stdout).toContain("shardway explain 'select * from orders where customer_id = $1' 42")
})

describe('refusals end with 1', () => {
  it.each([
    [['suspend'], 'not yet supported'],
    [['rebalance', 'run', '--yes'], 'not yet supported'],
    [['shard', 'add', 's2', '--node', 'h:1'], 'not yet supported'],
    [['import-pgbouncer', 'no-such-file.ini'], 'no-such-file.ini: no such file'],
    [['check', '-c', '/nonexistent/shardway.toml'], 'no such file'],
    [['status', '--admin', 'nonsense'], 'is not a URL'],
  ])('%j', async (args, message) => {
    const ended = await shardway(args)
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toContain(message)
  })

  it('without a proxy, and without the password of the URL', async () => {
    const admin = `postgres://someone:hidden-word@127.0.0.1:${await freePort()}/shardway`
    for (const ended of [
      await shardway(['status', '--admin', admin]),
      await shardway(['status'], { SHARDWAY_ADMIN: admin }),
    ]) {
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain('cannot reach the admin console')
      expect(ended.stderr).toContain('hint: ')
      expect(ended.stderr).not.toContain('hidden-word')
    }
  })

  it('with every mistake of a configuration', async () => {
    writeFileSync(join(folder, 'bad.toml'), '[listen]\nprot = 1\n[pool]\nmode = "bogus"\n')
    for (const command of ['check', 'serve']) {
      const ended = await shardway([command, '-c', join(folder, 'bad.toml')])
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain('listen.prot: unknown name')
      expect(ended.stderr).toContain('pool.mode: found "bogus"')
      expect(ended.stderr).toContain('databases: missing')
    }
  })
})
