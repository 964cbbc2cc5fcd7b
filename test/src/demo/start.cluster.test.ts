import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { freePort } from '../../../src/cluster/ports.ts'
import { projectRoot } from '../../../src/cluster/project-root.ts'
import { makeTemporaryFolder, runAsUser } from '../../../src/cluster/run-as.ts'
import { supervisor } from '../../../src/cluster/supervisor.ts'
import { waitFor } from '../../../src/cluster/wait.ts'
import { processesWith } from '../../helpers/processes.ts'

const folders: string[] = []

afterEach(async () => {
  for (const folder of folders.splice(0)) await supervisor().discard(folder)
})

/** A folder that the servers' user can enter; the demo makes its own in it. */
function newFolder(): string {
  const parent = makeTemporaryFolder('shardway-demo-', null)
  chmodSync(parent, 0o711)
  supervisor().discardAtEnd(parent)
  folders.push(parent)
  return join(parent, 'data')
}

interface Demo {
  readonly child: ChildProcess
  readonly mark: string
  readonly output: () => string
  readonly ended: Promise<number | null>
}

/** In a process group of its own, as a terminal would have it. */
function demo(args: readonly string[]): Demo {
  const mark = `${process.env['SHARDWAY_TEST_RUN'] ?? 'shardway-test'}-${randomBytes(4).toString('hex')}`
  const child = spawn(process.execPath, [join(projectRoot(), 'dist/src/demo/main.js'), ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SHARDWAY_TEST_RUN: mark },
  })
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    output += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    output += text
  })
  const ended = new Promise<number | null>(resolve => {
    child.once('close', code => resolve(code))
  })
  return { child, mark, output: () => output, ended }
}

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const started = demo(args)
  return { code: await started.ended, output: started.output() }
}

async function ports(): Promise<string[]> {
  return ['--port', String(await freePort()), '--http', String(await freePort())]
}

const MOMENTS = [
  'Starting the servers',
  'creating',
  'listens on',
  'Loading the sample',
  'Starting Shardway',
  'Shardway is up',
]

test.each(MOMENTS)('Ctrl-C at "%s" leaves no process', async moment => {
  const started = demo([...(await ports()), '--data', newFolder()])
  await waitFor(`"${moment}" in:\n${started.output()}`, () => started.output().includes(moment))
  process.kill(-(started.child.pid ?? 0), 'SIGINT')
  expect(await started.ended, started.output()).toBe(0)
  expect(processesWith(started.mark)).toEqual([])
})

test.each(MOMENTS)('kill -9 at "%s" leaves no process', async moment => {
  const started = demo([...(await ports()), '--data', newFolder()])
  await waitFor(`"${moment}" in:\n${started.output()}`, () => started.output().includes(moment))
  process.kill(started.child.pid ?? 0, 'SIGKILL')
  await started.ended
  await waitFor('all processes to be gone', () => processesWith(started.mark).length === 0)
})

test('a second start finds the data of the first', async () => {
  const folder = newFolder()
  for (const expected of ['creating', 'Starting the servers of']) {
    const started = demo([...(await ports()), '--data', folder])
    await waitFor('the demo to be up', () => {
      if (started.child.exitCode !== null) throw new Error(started.output())
      return started.output().includes('Shardway is up')
    })
    expect(started.output()).toContain(expected)
    process.kill(-(started.child.pid ?? 0), 'SIGINT')
    expect(await started.ended).toBe(0)
  }
})

async function up(args: readonly string[]): Promise<Demo> {
  const started = demo(args)
  await waitFor('the demo to be up', () => {
    if (started.child.exitCode !== null) throw new Error(started.output())
    return started.output().includes('Shardway is up')
  })
  return started
}

async function stop(started: Demo): Promise<void> {
  process.kill(-(started.child.pid ?? 0), 'SIGINT')
  expect(await started.ended, started.output()).toBe(0)
}

async function query(port: string, database: string, statements: readonly string[]): Promise<unknown[]> {
  const client = new Client({ connectionString: `postgres://app:app@127.0.0.1:${port}/${database}` })
  await client.connect()
  try {
    let rows: unknown[] = []
    for (const sql of statements) rows = (await client.query(sql)).rows
    return rows
  } finally {
    await client.end()
  }
}

test('tables that the user declared, and his data, are there after the next start', async () => {
  const folder = newFolder()
  const file = join(folder, 'proxy', 'shardway.toml')
  const [, port = '', , http = ''] = await ports()
  const both = ['--port', port, '--http', http, '--data', folder]
  const first = await up([...both, '--no-sample'])
  // What section 4 of docs/guides/getting-started.md says.
  appendFileSync(file, '\n[[databases.tables]]\nname = "notes"\nkey = "account_id"\n')
  await query(port, 'shardway', ['reload'])
  const create = 'create table notes (account_id bigint, id bigint, body text, primary key (account_id, id))'
  await query(port, 'app', [
    `/* shardway: shard=s0 */ ${create}`,
    `/* shardway: shard=s1 */ ${create}`,
    ...Array.from({ length: 8 }, (_, id) => `insert into notes values (${id}, 1, 'one')`),
    // A name of the sample's.
    'create table customers (id bigint)',
  ])
  await stop(first)

  const edited = readFileSync(file, 'utf8')
  const other = await run(['--data', folder, '--port', String(await freePort())])
  expect(other.code).toBe(1)
  expect(other.output).toContain(`(listen.port = ${port})`)

  // The ports come from the file; the sample is not laid over what is there.
  const second = await up(['--data', folder])
  expect(second.output()).toContain('has been edited: it is kept as it is')
  expect(second.output()).toContain('begun without the sample and is kept as it is')
  expect(readFileSync(file, 'utf8')).toBe(edited)
  for (let id = 0; id < 8; id++) {
    expect(await query(port, 'app', [`select body from notes where account_id = ${id}`])).toEqual([{ body: 'one' }])
  }
  expect(await query(port, 'app', [`select to_regclass('orders') as orders`])).toEqual([{ orders: null }])
  await stop(second)
})

test('a file that nobody edited is made anew', async () => {
  const folder = newFolder()
  await stop(await up([...(await ports()), '--data', folder, '--shards', '1', '--replicas', '0']))
  const [, port = '', ...rest] = await ports()
  const second = await up(['--port', port, ...rest, '--data', folder])
  expect(second.output()).not.toContain('has been edited')
  expect(await query(port, 'app', ['select count(*)::int as n from countries'])).toEqual([{ n: 14 }])
  await stop(second)
})

test('a folder that is not the demo’s is refused, and nothing in it is touched', async () => {
  const folder = newFolder()
  mkdirSync(join(folder, 'nodes'), { recursive: true })
  writeFileSync(join(folder, 'nodes', 'thesis.txt'), 'years')
  for (const more of [[], ['--fresh']]) {
    const { code, output } = await run([...(await ports()), '--data', folder, ...more])
    expect(code).toBe(1)
    expect(output).toContain(`${folder} is not empty, and shardway start has not made it`)
    expect(readFileSync(join(folder, 'nodes', 'thesis.txt'), 'utf8')).toBe('years')
    expect(existsSync(join(folder, 'lock'))).toBe(false)
  }
})

test('a folder of an earlier version, which has no mark, is known by its plan', async () => {
  const folder = newFolder()
  const shape = ['--data', folder, '--shards', '1', '--replicas', '0']
  await stop(await up([...(await ports()), ...shape]))
  rmSync(join(folder, 'shardway-start.json'))
  rmSync(join(folder, 'proxy', 'shardway.toml'))
  const second = await up([...(await ports()), ...shape])
  expect(second.output()).toContain('The sample is there from last time')
  await stop(second)
})

test('a busy port is named, with the way out', async () => {
  const server = createServer()
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  const { code, output } = await run([
    '--port',
    String(port),
    '--http',
    String(await freePort()),
    '--data',
    newFolder(),
  ])
  server.close()
  expect(code).toBe(1)
  expect(output).toContain(`port ${port} on 127.0.0.1 is in use`)
  expect(output).toContain('--port')
})

test('wrong usage is told apart from failure', async () => {
  expect(await run(['--shards', 'many'])).toMatchObject({
    code: 2,
    output: expect.stringContaining('--shards is "many"'),
  })
  expect(await run(['--nonsense'])).toMatchObject({ code: 2, output: expect.stringContaining('--nonsense') })
})

test.runIf(runAsUser() !== null)('a --data that the dropped user cannot enter is refused at once', async () => {
  const closed = makeTemporaryFolder('shardway-closed-', null)
  supervisor().discardAtEnd(closed)
  const { code, output } = await run([...(await ports()), '--data', join(closed, 'data')])
  expect(code).toBe(1)
  expect(output).toContain(`cannot enter ${closed}`)
})
