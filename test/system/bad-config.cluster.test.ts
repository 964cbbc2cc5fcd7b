import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../../src/cluster/cluster.ts'
import { freePort } from '../../src/cluster/ports.ts'
import { projectRoot } from '../../src/cluster/project-root.ts'
import { shardwayConfig } from '../../src/cluster/shardway.ts'
import { waitFor } from '../../src/cluster/wait.ts'
import { errorOf, rowsOf } from '../support/messages.ts'
import { type Ended, type Running, startProgram } from '../support/programs.ts'
import { SAMPLE_SCHEMA } from '../support/sample-schema.ts'
import { SAMPLE_DECLARATIONS } from '../support/system.ts'
import { Wire, WireError } from '../support/wire.ts'

const TARGET = { host: '127.0.0.1', port: 1, user: 'app', password: 'app', database: 'app' }
const MAIN = join(projectRoot(), 'dist', 'src', 'cli', 'main.js')

describe('a configuration that cannot be served', () => {
  let cluster: Cluster
  let folder: string
  let running: Running[] = []

  beforeAll(async () => {
    cluster = await startCluster({ shards: 2, replicas: 0 })
    await cluster.everywhere(SAMPLE_SCHEMA, { user: 'app', password: 'app' })
    folder = mkdtempSync(join(tmpdir(), 'shardway-config-'))
  })
  afterAll(async () => {
    await cluster.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  afterEach(async () => {
    for (const { child, ended } of running) {
      child.kill('SIGTERM')
      await ended
    }
    running = []
  })

  function serve(...args: string[]): Running {
    const started = startProgram(process.execPath, TARGET, [MAIN, 'serve', ...args])
    running.push(started)
    return started
  }

  /** Must end by itself. */
  async function refused(text: string): Promise<Ended> {
    const path = join(folder, 'wrong.toml')
    writeFileSync(path, text, { mode: 0o600 })
    return await serve('-c', path).ended
  }

  async function right(): Promise<{ text: string; port: number; httpPort: number }> {
    const [port, httpPort] = [await freePort(), await freePort()]
    return {
      text: shardwayConfig({ cluster, tables: SAMPLE_DECLARATIONS, workers: 1 }, port, httpPort),
      port,
      httpPort,
    }
  }

  it('no such file', async () => {
    const { code, stderr } = await serve('-c', join(folder, 'nothing.toml')).ended
    expect(code).toBe(1)
    expect(stderr).toContain('nothing.toml')
    expect(stderr).toMatch(/no such file/i)
  })

  it('wrong usage', async () => {
    expect((await serve().ended).code).toBe(2)
    expect((await serve('-c', 'x', '--nonsense').ended).code).toBe(2)
  })

  it('no TOML', async () => {
    const { code, stderr } = await refused('[listen\nport = 6432\npassword = "s3cret')
    expect(code).toBe(1)
    expect(stderr).toMatch(/line 1/)
    expect(stderr).not.toContain('s3cret')
  })

  it('every mistake is named at once, and no secret', async () => {
    const { code, stderr } = await refused(`
      [listen]
      port = 70000
      wrokers = 2
      [pool]
      mode = "transactional"
      default_pool_size = -1
      query_wait_timeout = "soon"
      [read]
      consistency = 5
      [[users]]
      name = "app"
      password = 1234567
      [[users]]
      name = "app"
      password = "s3cret-value"
      databases = ["nowhere"]
      [[databases]]
      name = "app"
      default_shard = "s9"
      control_password = "s3cret-control"
      [[databases.shards]]
      name = "s0"
      nodes = ["127.0.0.1", "127.0.0.1:5432"]
      [[databases.shards]]
      name = "s0"
      nodes = []
      [[databases.tables]]
      name = "customers"
      key = "id"
      reference = true
      [[databases.tables]]
      name = "orders"
    `)
    expect(code).toBe(1)
    for (const expected of [
      /listen\.port.*70000/,
      /listen\.wrokers/,
      /pool\.mode.*transactional.*transaction/,
      /pool\.default_pool_size.*-1/,
      /pool\.query_wait_timeout.*soon/,
      /read\.consistency.*5.*fresh/,
      /users\[0\]\.password/,
      /users\[1\]\.name.*app/,
      /databases\[0\]\.default_shard.*s9/,
      /databases\[0\]\.shards\[0\]\.nodes\[0\].*HOST:PORT/,
      /databases\[0\]\.shards\[1\]\.name.*s0/,
      /databases\[0\]\.shards\[1\]\.nodes/,
      /databases\[0\]\.tables\[0\]/,
      /databases\[0\]\.tables\[1\]/,
    ]) {
      expect(stderr).toMatch(expected)
    }
    expect(stderr).not.toMatch(/s3cret|1234567/)
  })

  it('a file without databases', async () => {
    const { code, stderr } = await refused('')
    expect(code).toBe(1)
    expect(stderr).toMatch(/databases/)
  })

  it('a busy port, for clients and for HTTP', async () => {
    const busy = createServer()
    await new Promise<void>(resolve => busy.listen(0, '127.0.0.1', resolve))
    const taken = String((busy.address() as { port: number }).port)
    const { text, port, httpPort } = await right()
    for (const free of [port, httpPort]) {
      const { code, stderr, stdout } = await refused(text.replace(`port = ${free}`, `port = ${taken}`))
      expect(code).toBe(1)
      expect(stderr + stdout).toContain(taken)
      expect(stderr).toMatch(/in use/)
    }
    await new Promise<void>(resolve => busy.close(() => resolve()))
  })

  it('a node that does not answer: not ready while it is a primary, and clear to clients', {
    timeout: 60_000,
  }, async () => {
    const { text, port, httpPort } = await right()
    const nowhere = await freePort()
    const path = join(folder, 'unreachable.toml')
    const address = cluster.shard('s1').primary.address
    writeFileSync(path, text.replace(address, `127.0.0.1:${nowhere}`), { mode: 0o600 })
    const { child } = serve('-c', path)
    const status = async (what: string): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${httpPort}${what}`)
      await answer.arrayBuffer()
      return answer.status
    }
    await waitFor('the HTTP server', async () => (await status('/healthz')) === 200)
    expect(await status('/readyz')).toBe(503)
    // The console answers; applications hear that it is not ready, or get what the shard that is up can give.
    const console = await Wire.connect({ ...TARGET, port, database: 'shardway' })
    const nodes = await waitFor('the look at the nodes', async () => {
      const rows = rowsOf(await console.run('SHOW NODES'))
      return rows.some(row => row.includes('primary')) && rows
    })
    expect(nodes.find(row => row.includes(`127.0.0.1:${nowhere}`))).toContain('down')
    await console.end()
    let sqlstate: string | undefined
    try {
      const wire = await Wire.connect({ ...TARGET, port })
      sqlstate = errorOf(await wire.query('SELECT * FROM customers WHERE id = 1'))?.['C'] ?? 'none'
      await wire.end()
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      sqlstate = error.fields['C']
    }
    expect(['57P03', 'none', '08006']).toContain(sqlstate)
    expect(child.exitCode).toBeNull()
  })

  it('a wrong control password is said', { timeout: 60_000 }, async () => {
    const { text, httpPort } = await right()
    const path = join(folder, 'password.toml')
    writeFileSync(path, text.replace(/control_password = ".*"/, 'control_password = "s3cret-wrong"'), { mode: 0o600 })
    const started = serve('-c', path)
    let said = ''
    started.child.stdout?.on('data', chunk => (said += String(chunk)))
    started.child.stderr?.on('data', chunk => (said += String(chunk)))
    await waitFor(
      'the reason',
      () => said.includes('password authentication failed') || started.child.exitCode !== null,
    )
    expect(said).toContain('password authentication failed')
    expect(said).not.toContain('s3cret-wrong')
    if (started.child.exitCode === null) expect((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status).toBe(503)
  })
})
