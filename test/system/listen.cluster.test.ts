import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, type Message, tagsOf } from '../support/messages.ts'
import { startSystem, type System } from '../support/system.ts'
import type { Wire } from '../support/wire.ts'

const LOGIN = { user: 'app', password: 'app' }

function heard(message: Message): string {
  expect(message.type).toBe('A')
  return message.body.subarray(4, -1).toString().replace('\0', ' ')
}

describe.each([1, 2])('LISTEN over two shards, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, oracle: false, replicas: 0 })
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(async () => {
    system.dropClients()
    await expect.poll(listeners, { timeout: 10_000 }).toBe(0)
  })

  function primaries() {
    return system.cluster.shards.map(shard => shard.primary.server)
  }

  /** Connections of the proxy that listen, on all shards. */
  async function listeners(): Promise<number> {
    const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app' AND query ~ '^(UN)?LISTEN'`
    const counts = await Promise.all(primaries().map(server => server.query(sql)))
    return counts.reduce((sum, { rows }) => sum + Number(rows[0]?.['n']), 0)
  }

  async function notifyOn(shard: number, channel: string, payload: string): Promise<void> {
    await primaries()[shard]?.query(`SELECT pg_notify('${channel}', '${payload}')`, [], LOGIN)
  }

  it('hears every shard, and what is notified through the proxy', async () => {
    const [one, two, speaker] = [await system.connect(), await system.connect(), await system.connect()]
    for (const wire of [one, two]) expect(tagsOf(await wire.run('LISTEN news'))).toEqual(['LISTEN'])
    await notifyOn(0, 'news', 'from s0')
    for (const wire of [one, two]) expect(heard(await wire.next())).toBe('news from s0')
    await notifyOn(1, 'news', 'from s1')
    for (const wire of [one, two]) expect(heard(await wire.next())).toBe('news from s1')
    await speaker.run(`NOTIFY news, 'by a client'`)
    for (const wire of [one, two]) expect(heard(await wire.next())).toBe('news by a client')
    // Who does not listen hears nothing, and every channel is its own.
    await two.run('UNLISTEN news')
    await two.run('LISTEN "Other ""one"""')
    await notifyOn(1, 'news', 'again')
    await notifyOn(1, 'Other "one"', 'quoted')
    expect(heard(await one.next())).toBe('news again')
    expect(heard(await two.next())).toBe('Other "one" quoted')
    await Promise.all([one, two, speaker].map(wire => wire.end()))
  })

  it('a transaction notifies on whichever shard it is, once it commits', async () => {
    const [listener, speaker] = [await system.connect(), await system.connect()]
    await listener.run('LISTEN written')
    for (let id = 1; id <= 6; id++) {
      for (const notify of [`NOTIFY written, '${id}'`, `SELECT pg_notify('written', '${id}')`]) {
        await speaker.run('BEGIN')
        await speaker.run(`INSERT INTO customers (id, name) VALUES (${id}, 'notified')`)
        await speaker.run(notify)
        await speaker.run('ROLLBACK')
        await speaker.run('BEGIN')
        await speaker.run(`INSERT INTO customers (id, name) VALUES (${id}, 'notified')`)
        await speaker.run(notify.replace(`'${id}'`, `'${id} written'`))
        await speaker.run('COMMIT')
        expect(heard(await listener.next())).toBe(`written ${id} written`)
        await speaker.run(`DELETE FROM customers WHERE id = ${id}`)
      }
    }
    await Promise.all([listener, speaker].map(wire => wire.end()))
  })

  it('keeps no server of the pools', async () => {
    const wire = await system.connect()
    await wire.run('LISTEN quiet')
    const shown = await (await system.console()).run('SHOW CLIENTS')
    expect(shown.some(message => message.body.includes('listen'))).toBe(false)
    await wire.run('UNLISTEN *')
    await wire.end()
  })

  it('is told between units and outside blocks only', async () => {
    const wire = await system.connect()
    await wire.run('LISTEN news')
    await wire.run('BEGIN')
    await notifyOn(0, 'news', 'while in a block')
    const other = await system.connect()
    await other.run('LISTEN news')
    await notifyOn(0, 'news', 'next')
    expect(heard(await other.next())).toBe('news next')
    expect((await wire.query('SELECT name FROM countries')).some(({ type }) => type === 'A')).toBe(false)
    wire.send(frames.query('COMMIT'))
    expect((await wire.until('Z')).some(({ type }) => type === 'A')).toBe(false)
    expect(heard(await wire.next())).toBe('news while in a block')
    expect(heard(await wire.next())).toBe('news next')
    await Promise.all([wire, other].map(each => each.end()))
  })

  it('works by the extended protocol, twice, and ends with DISCARD ALL', async () => {
    const wire = await system.connect()
    for (let i = 0; i < 2; i++) {
      const messages = await wire.exchange(frames.parse('LISTEN news'), frames.bind(), frames.execute())
      expect(messages.map(({ type }) => type).join('')).toBe('12CZ')
    }
    await notifyOn(1, 'news', 'once')
    expect(heard(await wire.next())).toBe('news once')
    await wire.run('DISCARD ALL')
    await expect.poll(listeners).toBe(0)
    await wire.end()
  })

  it('is refused where it could not be undone', async () => {
    const wire: Wire = await system.connect()
    await wire.run('BEGIN')
    expect(errorOf(await wire.query('LISTEN news'))?.['C']).toBe('0A000')
    await wire.run('ROLLBACK')
    expect(errorOf(await wire.query('LISTEN a; LISTEN b'))?.['C']).toBe('0A000')
    expect(errorOf(await wire.query('SELECT * FROM pg_listening_channels()'))?.['C']).toBe('0A000')
    await wire.run('SELECT name FROM countries')
    await wire.end()
  })

  it('that a shard cannot hear is an error, and ends nobody', async () => {
    const wire = await system.connect()
    const { server } = system.cluster.shards[1]!.primary
    await server.kill()
    const refused = errorOf(await wire.query('LISTEN unheard'))
    expect(refused).toMatchObject({ S: 'ERROR' })
    expect(errorOf(await wire.query('SELECT name FROM countries'))).toBeNull()
    await server.start()
    await expect.poll(async () => errorOf(await wire.query('LISTEN unheard')), { timeout: 20_000 }).toBeNull()
    await notifyOn(1, 'unheard', 'now')
    expect(heard(await wire.next())).toBe('unheard now')
    await wire.end()
  })

  it('ends its clients when a listener is lost: they would wait for what nobody hears', async () => {
    const wire = await system.connect()
    await wire.run('LISTEN news')
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND query = 'LISTEN "news"'`
    await primaries()[1]?.query(kill)
    const rest = await wire.rest()
    expect(errorOf(rest)?.['C']).toBe('08006')
    const next = await system.connect()
    await next.run('LISTEN news')
    await notifyOn(1, 'news', 'again')
    expect(heard(await next.next())).toBe('news again')
    await next.end()
  })
})
