/** What a client sets in its startup packet is laid on every server that serves it, to the byte, and is never more than a value. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { refusal } from '../support/logins.ts'
import { rowsOf, valueOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'

const VALUES = [
  "it's",
  "''",
  "'; DROP TABLE notes; --",
  "', false); DROP TABLE notes; SELECT set_config('a.b', '",
  'back\\slash',
  'back\\\\slash',
  "\\'; DROP TABLE notes; --",
  'ends with \\',
  '"quoted"',
  '$$; DROP TABLE notes; $$',
  '$1 %s %I %n',
  'two\nlines\r\nand\ttabs',
  'ümläut 日本 \u{1f418}',
  ' blanks ',
  '/* shardway: shard=s1 */',
  '-- comment',
  "E'\\x27'",
  '\u00a0no-break',
  '',
  'x'.repeat(3000),
]

describe('startup parameters', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ workers: 2, replicas: 0, sections: { pool: { default_pool_size: 4 } } })
  })
  afterAll(async () => await system.stop())
  afterEach(() => system.dropClients())

  // Where a placeholder was once set, Postgres says '' afterwards, elsewhere NULL: pooled servers may be of both kinds.
  const SHOWN = `SELECT current_setting('application_name'), coalesce(current_setting('my.value', true), ''),
    coalesce(current_setting('my.other', true), ''), current_setting('search_path')`

  /** What one client sees, on every shard and on more servers than one. */
  async function seen(parameters: Readonly<Record<string, string>>): Promise<Array<ReadonlyArray<string | null>>> {
    const wires = await Promise.all([1, 2, 3].map(() => system.connect({ parameters })))
    const rows: Array<ReadonlyArray<string | null>> = []
    for (const shard of ['s0', 's1']) {
      const begun = await Promise.all(
        wires.map(async wire => {
          await wire.run('BEGIN')
          await wire.run(`SET LOCAL shardway.shard = '${shard}'`)
          return rowsOf(await wire.run(SHOWN))
        }),
      )
      rows.push(...begun.flat())
      await Promise.all(wires.map(wire => wire.run('COMMIT')))
    }
    await Promise.all(wires.map(wire => wire.end()))
    return rows
  }

  async function expectSame(parameters: Readonly<Record<string, string>>): Promise<void> {
    const oracle = await system.connectOracle({ parameters })
    const [expected] = rowsOf(await oracle.run(SHOWN))
    for (const row of await seen(parameters)) expect(row).toEqual(expected)
    const proxy = await system.connect({ parameters })
    for (const name of ['application_name', 'DateStyle', 'TimeZone', 'client_encoding'])
      expect(proxy.parameters.get(name), name).toBe(oracle.parameters.get(name))
    await Promise.all([oracle.end(), proxy.end()])
  }

  it('options of Shardway’s own are the session’s, and no server sees them', async () => {
    const wire = await system.connect({
      parameters: { options: '-c shardway.consistency=eventual --shardway.role=primary', 'shardway.shard': 's1' },
    })
    const shown = async (): Promise<unknown[]> => {
      const values = []
      for (const name of ['consistency', 'role', 'shard', 'key'])
        values.push(await valueOf(wire, `SHOW shardway.${name}`))
      return values
    }
    expect(await shown()).toEqual(['eventual', 'primary', 's1', ''])
    const port = String(system.cluster.shards[1]!.primary.server.port)
    expect(await valueOf(wire, 'SELECT inet_server_port() FROM customers LIMIT 1')).toBeUndefined()
    expect(
      rowsOf(await wire.run('SELECT inet_server_port() FROM customers RIGHT JOIN (VALUES (1)) v ON true')),
    ).toEqual([[port]])
    expect(await valueOf(wire, "SELECT coalesce(current_setting('shardway.consistency', true), '')")).toBe('')
    await wire.run("SET shardway.consistency = 'strong'")
    await wire.run('BEGIN')
    await wire.run('SET LOCAL shardway.shard = s0')
    expect(await shown()).toEqual(['strong', 'primary', 's0', ''])
    await wire.run('COMMIT')
    await wire.run('RESET shardway.consistency')
    expect(await shown()).toEqual(['eventual', 'primary', 's1', ''])
    await wire.run('SET shardway.role = replica')
    await wire.run('DISCARD ALL')
    expect(await shown()).toEqual(['eventual', 'primary', 's1', ''])
  })

  it.each([
    ['shardway.consistency', 'sometimes', 'Allowed: strong, fresh, session, eventual.'],
    ['shardway.shard', 's9', 'Shards: s0, s1.'],
    ['shardway.nothing', '1', 'Allowed: shard, key'],
  ])('%s=%s is refused', async (name, value, hint) => {
    const fields = await refusal(system.connect({ parameters: { options: `-c ${name}=${value}` } }))
    expect(fields).toMatchObject({ S: 'FATAL', C: '22023' })
    expect(fields?.['H']).toContain(hint)
  })

  it.each(VALUES.map(value => [value.slice(0, 60), value]))('%j is a value and nothing else', async (_, value) => {
    await expectSame({ application_name: value, 'my.value': value })
    // In `options` blanks and backslashes are escaped.
    const escaped = value.replaceAll(/[\s\\]/g, found => `\\${found}`)
    await expectSame({ options: `-c my.value=${escaped} --my.other=${escaped}` })
  })

  it.each(['a\\', 'a\\ b\\\\', '\\', "a''b", 'no\u00a0break'])('the option %j', async value => {
    await expectSame({ options: `-c my.value=${value}` })
  })

  it('a search path of hostile names, as it stands', async () => {
    for (const path of [
      '"we ""ird\' sch\\ema", public',
      'public, "\'; DROP TABLE notes; --"',
      '"$user", public',
      '"public"',
      "'public'",
      'a,b,,c',
      '"',
      '',
    ]) {
      const oracle = system.connectOracle({ parameters: { search_path: path } })
      let refused: Record<string, string> | null = null
      try {
        await (await oracle).end()
      } catch {
        refused = await refusal(oracle)
      }
      if (refused === null) await expectSame({ search_path: path })
      else expect((await refusal(system.connect({ parameters: { search_path: path } })))['C'], path).toBe(refused['C'])
    }
  })

  it('names that are no settings are refused, and run nothing', async () => {
    for (const name of ["x'; DROP TABLE notes; --", 'a b', 'x.', '"x"', 'search_path; DROP TABLE notes', 'nonsense']) {
      const expected = await refusal(system.connectOracle({ parameters: { [name]: 'value' } }))
      const got = await refusal(system.connect({ parameters: { [name]: 'value' } }))
      expect(got['S'], name).toBe('FATAL')
      expect([expected['C'], '22023'], name).toContain(got['C'])
    }
    for (const options of ['-c', '-x', '--', 'nonsense', '-c a', "-c x';y=1", '-c =1', '-cnonsense=1', '-e', '-S 1']) {
      const got = await refusal(system.connect({ parameters: { options } }))
      expect(got['S'], options).toBe('FATAL')
      expect(got['C'], options).toMatch(/^(22023|42704|42601|42602)$/)
    }
  })

  it('leak to nobody, and have dropped nothing', async () => {
    const plain = await system.connect()
    for (const shard of ['s0', 's1']) {
      const rows = rowsOf(await plain.run(`/* shardway: shard=${shard} */ ${SHOWN}`))
      expect(rows).toEqual([['', '', '', '"$user", public']])
    }
    expect(rowsOf(await plain.run('SELECT count(*) FROM notes'))).toEqual([['50']])
    await plain.end()
  })
})
