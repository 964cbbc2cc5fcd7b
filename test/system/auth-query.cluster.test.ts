import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/cluster/wait.ts'
import { ScramClient } from '../../src/protocol/scram-client.ts'
import { sasl } from '../support/bad-messages.ts'
import { frames } from '../support/frames.ts'
import { type Message, rowsOf, valueOf } from '../support/messages.ts'
import { reload } from '../support/reload.ts'
import { refusal } from '../support/logins.ts'
import { startSystem, type System } from '../support/system.ts'
import { type Wire, WireError } from '../support/wire.ts'

const HOSTILE = ["o'hara", 'semi;colon', 'Upper Case', '"quoted"', '$1', 'ä', "x'; DROP TABLE notes; --"]

/** The same roles with the same verifiers on every shard, as the product demands for pass-through. */
async function makeRoles(system: System): Promise<void> {
  const primary = system.cluster.shards[0]!.primary.server
  const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
  await system.cluster.everywhere(`CREATE ROLE alice LOGIN; CREATE ROLE expired LOGIN; CREATE ROLE later LOGIN;
    CREATE ROLE nologin; CREATE ROLE bare LOGIN; CREATE ROLE fives LOGIN; CREATE ROLE changing LOGIN;
    ${HOSTILE.map(name => `CREATE ROLE ${quoted(name)} LOGIN;`).join('\n')}
    CREATE ROLE ${quoted('n'.repeat(63))} LOGIN`)
  await primary.query(`ALTER ROLE alice PASSWORD 'alice-word'; ALTER ROLE nologin PASSWORD 'nologin-word';
    ALTER ROLE expired PASSWORD 'expired-word' VALID UNTIL '2001-01-01'; ALTER ROLE later PASSWORD 'later-word';
    ALTER ROLE changing PASSWORD 'changing-word'; ALTER ROLE ${quoted('n'.repeat(63))} PASSWORD 'long-word';
    SET password_encryption = 'md5'; ALTER ROLE fives PASSWORD 'fives-word'; RESET password_encryption;
    ${HOSTILE.map(name => `ALTER ROLE ${quoted(name)} PASSWORD 'hostile-word';`).join('\n')}`)
  await copyVerifiers(system)
}

async function copyVerifiers(system: System): Promise<void> {
  const [first, ...others] = system.cluster.shards
  const sql =
    "SELECT format('ALTER ROLE %I PASSWORD %L', rolname, rolpassword) AS one FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname NOT IN ('postgres', 'app', 'replicator')"
  const { rows } = await first!.primary.server.query(sql)
  for (const { one } of rows as Array<{ one: string }>) {
    for (const shard of others) await shard.primary.server.query(one)
  }
}

describe('users of the servers ([auth] query), passed through', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      workers: 2,
      oracle: false,
      sections: { auth: { query: 'default' } },
      // Without server_user everybody is on the servers who he is here.
      passThrough: true,
      users: [{ name: 'app', password: 'app', admin: true }],
    })
    await makeRoles(system)
  })
  afterAll(async () => await system.stop())
  afterEach(() => system.dropClients())

  it('enter by the verifier that the server keeps, and are themselves there, on every shard', async () => {
    const wire = await system.connect({ user: 'alice', password: 'alice-word' })
    for (const shard of ['s0', 's1']) {
      expect(await valueOf(wire, `/* shardway: shard=${shard} */ SELECT current_user`)).toBe('alice')
    }
    await wire.end()
    // With servers warm as with cold ones.
    for (const password of ['', 'wrong', 'app', 'hostile-word']) {
      expect(await refusal(system.connect({ user: 'alice', password }))).toMatchObject({
        S: 'FATAL',
        C: '28P01',
        M: 'password authentication failed for user "alice"',
      })
    }
  })

  it('listed users come first, and no password of theirs on the server opens', async () => {
    await (await system.connect()).end()
    expect(await refusal(system.connect({ password: 'alice-word' }))).toMatchObject({ C: '28P01' })
  })

  it.each(HOSTILE)('the name %s is a name and nothing else', async user => {
    const wire = await system.connect({ user, password: 'hostile-word' })
    expect(await valueOf(wire, 'SELECT current_user')).toBe(user)
    await wire.end()
    expect(await refusal(system.connect({ user, password: 'wrong' }))).toMatchObject({ C: '28P01' })
  })

  it('who does not exist, may not log in, has expired or has no password does not enter', async () => {
    const cases = [
      ['nobody', ''],
      ['nobody', 'alice-word'],
      ['expired', 'expired-word'],
      ['nologin', 'nologin-word'],
      ['bare', ''],
      ['pg_monitor', ''],
      ["nobody' OR rolname = 'alice", 'alice-word'],
      ['%', 'alice-word'],
      // Postgres would cut it off and find another.
      ['n'.repeat(64), 'long-word'],
      ['u'.repeat(5000), 'x'],
    ] as const
    for (const [user, password] of cases) {
      const fields = await refusal(system.connect({ user, password }))
      expect(fields).toMatchObject({ S: 'FATAL', C: '28P01', M: `password authentication failed for user "${user}"` })
    }
    await (await system.connect({ user: 'n'.repeat(63), password: 'long-word' })).end()
    // An md5 hash cannot answer for SCRAM.
    expect(await refusal(system.connect({ user: 'fives', password: 'fives-word' }))).toMatchObject({ C: '28P01' })
  })

  it('the same exchange for who exists and who does not, with a salt that stays', async () => {
    const exchange = async (user: string): Promise<{ shape: unknown; salt: string; iterations: string }> => {
      const wire = await system.open()
      wire.send(frames.startup({ user, database: 'app' }))
      const seen: Message[] = [await wire.next()]
      const scram = new ScramClient('wrong')
      wire.send(sasl('SCRAM-SHA-256', scram.first()))
      seen.push(await wire.next())
      const [, salt = '', iterations = ''] = /s=([^,]+),i=(\d+)/.exec(seen[1]!.body.toString('latin1')) ?? []
      wire.send(frames.password(scram.next(seen[1]!.body.subarray(4))))
      seen.push(...(await wire.rest()))
      return { shape: seen.map(({ type, body }) => [type, body.length]), salt, iterations }
    }
    const known = await exchange('alice')
    const salts = new Set<string>()
    for (let i = 0; i < 6; i++) {
      const unknown = await exchange('nadia')
      expect({ ...unknown, salt: '' }).toEqual({ ...known, salt: '' })
      expect(unknown.salt).toHaveLength(known.salt.length)
      salts.add(unknown.salt)
    }
    // Both workers, and the next start too: a salt that changes would tell that nobody has it.
    await system.shardway.stop()
    await system.shardway.start()
    salts.add((await exchange('nadia')).salt)
    expect(salts.size).toBe(1)
    expect((await exchange('nadja')).salt).not.toBe([...salts][0])
  })

  it('no setting of the client reaches the query', async () => {
    const server = system.cluster.shards[0]!.primary.server
    // Whoever resolves names by the client's path would let everybody in.
    await server.query(`CREATE SCHEMA evil;
      CREATE TABLE evil.pg_authid (rolname name, rolpassword text, rolvaliduntil timestamptz, rolcanlogin bool);
      INSERT INTO evil.pg_authid VALUES ('intruder', 'evil-word', null, true);
      CREATE FUNCTION evil.always(name, name) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
      CREATE OPERATOR evil.= (FUNCTION = evil.always, LEFTARG = name, RIGHTARG = name);
      GRANT ALL ON SCHEMA evil TO public; GRANT ALL ON ALL TABLES IN SCHEMA evil TO public`)
    for (const parameters of [
      { search_path: 'evil,pg_catalog' },
      { options: '-c search_path=evil,pg_catalog' },
      { options: '-c role=postgres' },
      { options: '-c session_authorization=postgres' },
    ]) {
      for (const [user, password] of [
        ['intruder', 'evil-word'],
        ['nobody', 'alice-word'],
      ] as const) {
        expect(await refusal(system.connect({ user, password, parameters }))).toMatchObject({ C: '28P01' })
      }
    }
    await server.query('DROP SCHEMA evil CASCADE')
  })

  it('what changes on the server is seen: expiry, another password, no login any more', async () => {
    const enter = async (user: string, password: string): Promise<boolean> => {
      try {
        await (await system.connect({ user, password })).end()
        return true
      } catch (error) {
        if (error instanceof WireError && error.fields['C'] === '28P01') return false
        throw error
      }
    }
    expect(await enter('later', 'later-word')).toBe(true)
    expect(await enter('changing', 'changing-word')).toBe(true)
    await system.cluster.everywhere("ALTER ROLE later VALID UNTIL '2001-01-01'")
    await system.cluster.shards[0]!.primary.server.query("ALTER ROLE changing PASSWORD 'changed-word'")
    await copyVerifiers(system)
    await waitFor('the expiry to be seen', async () => !(await enter('later', 'later-word')))
    await waitFor('the old password to be worth nothing', async () => !(await enter('changing', 'changing-word')))
    await waitFor('the new password to be known', () => enter('changing', 'changed-word'))
    // The way to the server is the new one too: new servers are opened by it.
    // Each worker looks for itself, some seconds later at most.
    const connect = (): Promise<Wire | false> =>
      system.connect({ user: 'changing', password: 'changed-word' }).catch((error: unknown) => {
        if (error instanceof WireError && error.fields['C'] === '28P01') return false
        throw error
      })
    const wires = await Promise.all([1, 2, 3].map(() => waitFor('the other worker to know it', connect)))
    await Promise.all(wires.map(wire => wire.run('SELECT pg_sleep(0.01)')))
    for (const wire of wires) await wire.end()
    await system.cluster.everywhere('ALTER ROLE changing NOLOGIN')
    await waitFor('NOLOGIN to be seen', async () => !(await enter('changing', 'changed-word')))
  })

  it('neither the console nor a database that does not exist', async () => {
    const alice = { user: 'alice', password: 'alice-word' }
    expect(await refusal(system.connect({ ...alice, database: 'shardway' }))).toMatchObject({ C: '28000' })
    expect(await refusal(system.connect({ ...alice, database: 'nowhere' }))).toMatchObject({ C: '3D000' })
    expect(await refusal(system.connect({ ...alice, database: 'nowhere', password: 'wrong' }))).toMatchObject({
      C: '28P01',
    })
    expect(await refusal(system.connect({ user: 'nobody', database: 'nowhere' }))).toMatchObject({ C: '28P01' })
    expect(await refusal(system.connect({ user: 'nobody', database: 'shardway' }))).toMatchObject({ C: '28P01' })
  })

  it('however many databases are named, there is one connection to a place', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `database-${i}`)
    await Promise.all(names.map(database => refusal(system.connect({ user: 'nobody', database }))))
    const { rows } = await system.cluster.shards[0]!.primary.server.query(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'shardway auth'",
    )
    expect((rows[0] as { count: number }).count).toBeLessThanOrEqual(2) // one of each worker
  })

  it('a reload in the middle fails no look-up', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `reloaded-${i}`)
    const answers = names.map(user => refusal(system.connect({ user })))
    for (let i = 0; i < 3; i++) await reload(system)
    for (const fields of await Promise.all(answers)) expect(fields['C']).toBe('28P01')
    await (await system.connect({ user: 'alice', password: 'alice-word' })).end()
  })

  it('survives the loss of its connection', async () => {
    await system.cluster.shards[0]!.primary.server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardway auth'",
    )
    await (await system.connect({ user: HOSTILE[1]!, password: 'hostile-word' })).end()
  })

  it('many strangers at once hold up nobody', async () => {
    const strangers = Array.from({ length: 100 }, (_, i) => refusal(system.connect({ user: `stranger-${i}` })))
    await system.isServing()
    for (const fields of await Promise.all(strangers)) expect(fields['C']).toBe('28P01')
  })
})

/** Counts how often it is asked. */
const OWN_QUERY = `SELECT l.name, l.secret FROM (SELECT pg_catalog.nextval('public.asked') AS n OFFSET 0) a
  LEFT JOIN public.logins l ON l.name = $1 AND a.n > 0`

describe('a query of one’s own', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({
      workers: 1,
      oracle: false,
      sections: { auth: { method: 'md5', query: OWN_QUERY } },
      users: [{ name: 'app', password: 'app', admin: true }],
    })
    await system.cluster.shards[0]!.primary.server.query(`CREATE TABLE logins (name text, secret text); CREATE SEQUENCE asked;
      INSERT INTO logins VALUES ('plain', 'plain-word'), ('fives', 'md5' || md5('fives-word' || 'fives')), ('null', null),
        ('twice', 'twice-word'), ('twice', 'twice-word'), ('empty', '')`)
  })
  afterAll(async () => await system.stop())

  it('gives passwords, md5 hashes and verifiers; server_user is on the server', async () => {
    for (const user of ['plain', 'fives']) {
      const wire = await system.connect({ user, password: `${user}-word` })
      expect(rowsOf(await wire.run('SELECT current_user'))).toEqual([['app']])
      await wire.end()
      expect(await refusal(system.connect({ user, password: 'wrong' }))).toMatchObject({ C: '28P01' })
    }
    for (const [user, password] of [
      ['null', ''],
      ['empty', ''],
      ['twice', 'twice-word'],
      ['nobody', ''],
    ] as const) {
      expect(await refusal(system.connect({ user, password }))).toMatchObject({ C: '28P01' })
    }
  })

  it('is asked as often for who exists as for who does not', async () => {
    const { server } = system.cluster.shards[0]!.primary
    const asked = async (user: string): Promise<number[]> => {
      const counts: number[] = []
      for (let i = 0; i < 3; i++) {
        await refusal(system.connect({ user, password: 'wrong' }))
        const { rows } = await server.query('SELECT last_value::int AS count FROM asked')
        counts.push((rows[0] as { count: number }).count)
      }
      return counts.map(count => count - (counts[0] ?? 0))
    }
    expect(await asked('fives')).toEqual([0, 1, 2])
    expect(await asked('nobody')).toEqual([0, 1, 2])
  })

  it('that fails is 57P03, with nothing of the reason', async () => {
    await system.cluster.shards[0]!.primary.server.query('ALTER TABLE logins RENAME TO gone')
    const fields = await refusal(system.connect({ user: 'unseen', password: 'x' }))
    expect(fields).toMatchObject({ S: 'FATAL', C: '57P03', M: 'the proxy cannot look up users now' })
    expect(JSON.stringify(fields)).not.toContain('logins')
    const line = await waitFor('the log to name the reason', () =>
      system.shardway.logs.find(one => one['event.action'] === 'auth-query-failed'),
    )
    expect(String(line['error.message'])).toContain('logins')
    await system.isServing()
  })
})
