/** A client with everything of its own: settings, statements, temporary tables, cursors. Sees that it gets back just that. */
import { frames } from './frames.ts'
import { errorOf, type Message, rowsOf, statusOf } from './messages.ts'
import type { Random } from './random.ts'
import { Wire, type WireOptions } from './wire.ts'

export interface BurstCounts {
  answers: number
  connections: number
  /** Connections that were ended by the other side. */
  ended: number
  /** By SQLSTATE. */
  readonly errors: Map<string, number>
  readonly wrong: string[]
}

/** What overload, kills and timeouts bring; anything else is an answer that was not this client's to get. */
const EXPECTED: ReadonlySet<string> = new Set(['08006', '08007', '25P02', '53300', '57014', '57P01', '57P03'])
const ZONES = ['Asia/Tokyo', 'Europe/Berlin', 'America/New_York', 'UTC', 'Asia/Kolkata']

class Interrupted extends Error {}

export class BurstClient {
  readonly #id: number
  readonly #target: WireOptions
  readonly #random: Random
  readonly #counts: BurstCounts
  readonly #zone: string
  #serial = 0
  #name = ''
  #prepared = false

  constructor(id: number, target: WireOptions, random: Random, counts: BurstCounts) {
    this.#id = id
    this.#target = target
    this.#random = random
    this.#counts = counts
    this.#zone = ZONES[id % ZONES.length] ?? 'UTC'
  }

  async run(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      let wire: Wire | null = null
      try {
        wire = await this.#connect()
        for (let left = 1 + this.#random.below(12); left > 0 && !stopped(); left--) await this.#burst(wire)
        if (this.#random.chance(0.7)) await wire.end()
      } catch (error) {
        if (!(error instanceof Interrupted)) this.#closedOr(error)
      } finally {
        wire?.destroy()
      }
    }
  }

  async #connect(): Promise<Wire> {
    const own = this.#own
    this.#name = `app ${own}`
    this.#prepared = false
    const options = `-c my.mark=${own} -c work_mem=${1025 + this.#id}kB`
    const parameters = { application_name: this.#name, TimeZone: this.#zone, options }
    const wire = await Wire.connect({ ...this.#target, parameters })
    this.#counts.connections++
    return wire
  }

  get #own(): string {
    return `client-${this.#id}`
  }

  #closedOr(error: unknown): void {
    const text = String(error)
    const sqlstate = /^\w*Error: ([0-9A-Z]{5}):/.exec(text)?.[1]
    if (sqlstate !== undefined && EXPECTED.has(sqlstate)) this.#count(sqlstate)
    else if (/closed|ECONNRESET|EPIPE/.test(text)) this.#counts.ended++
    else this.#counts.wrong.push(`client ${this.#id}: ${text}`)
  }

  #count(sqlstate: string): void {
    this.#counts.errors.set(sqlstate, (this.#counts.errors.get(sqlstate) ?? 0) + 1)
  }

  async #burst(wire: Wire): Promise<void> {
    switch (this.#random.below(7)) {
      case 0:
        return await this.#settings(wire)
      case 1:
        return await this.#renamed(wire)
      case 2:
        return await this.#statements(wire)
      case 3:
        return await this.#cursor(wire)
      case 4:
        return await this.#temporary(wire)
      case 5:
        return await this.#slow(wire)
      default:
        return await this.#pipelined(wire)
    }
  }

  async #settings(wire: Wire): Promise<void> {
    const sql = `SELECT current_setting('application_name'), current_setting('my.mark'),
                        current_setting('TimeZone'), current_setting('work_mem')`
    await this.#expect(wire, frames.query(sql), [[this.#name, this.#own, this.#zone, `${1025 + this.#id}kB`]])
  }

  async #renamed(wire: Wire): Promise<void> {
    const name = `app ${this.#own} ${++this.#serial}`
    await this.#expect(wire, frames.query(`SET application_name = '${name}'`), [])
    this.#name = name
    await this.#settings(wire)
  }

  async #statements(wire: Wire): Promise<void> {
    const serial = String(++this.#serial)
    // All clients use the same name, each for a text of its own.
    if (!this.#prepared) {
      await this.#expect(
        wire,
        Buffer.concat([frames.parse(`SELECT '${this.#own}', $1::text, current_setting('my.mark')`, 's'), frames.sync]),
        [],
      )
      this.#prepared = true
    }
    const parts = [frames.bind({ statement: 's', parameters: [serial] }), frames.execute(), frames.sync]
    await this.#expect(wire, Buffer.concat(parts), [[this.#own, serial, this.#own]])
  }

  async #cursor(wire: Wire): Promise<void> {
    await this.#expect(wire, frames.query('BEGIN'), [])
    await this.#expect(
      wire,
      frames.query(`DECLARE c CURSOR FOR SELECT '${this.#own}', i FROM generate_series(1, 4) AS i`),
      [],
    )
    for (const from of [1, 3]) {
      const rows = [from, from + 1].map(i => [this.#own, String(i)])
      await this.#expect(wire, frames.query('FETCH 2 FROM c'), rows)
    }
    await this.#expect(wire, frames.query(this.#random.chance(0.5) ? 'COMMIT' : 'ROLLBACK'), [])
  }

  async #temporary(wire: Wire): Promise<void> {
    await this.#expect(wire, frames.query('CREATE TEMP TABLE mine (mark text)'), [])
    await this.#expect(wire, frames.query(`INSERT INTO mine VALUES ('${this.#own}')`), [])
    await this.#expect(wire, frames.query('SELECT mark FROM mine'), [[this.#own]])
    if (this.#random.chance(0.1)) throw new Interrupted()
    await this.#expect(wire, frames.query('DISCARD ALL'), [])
    this.#prepared = false
    this.#name = `app ${this.#own}`
    await this.#settings(wire)
  }

  async #slow(wire: Wire): Promise<void> {
    const bytes = frames.query(`SELECT '${this.#own}' FROM pg_sleep(0.02)`)
    if (this.#random.chance(0.2)) {
      wire.send(bytes)
      throw new Interrupted()
    }
    await this.#expect(wire, bytes, [[this.#own]])
  }

  async #pipelined(wire: Wire): Promise<void> {
    const serials = Array.from({ length: 5 }, () => String(++this.#serial))
    const parts = serials.flatMap(serial => [
      frames.parse(`SELECT '${this.#own}', $1::text`),
      frames.bind({ parameters: [serial] }),
      frames.execute(),
      frames.sync,
    ])
    wire.send(...parts)
    for (const serial of serials) this.#judge(await wire.until('Z'), [[this.#own, serial]])
  }

  async #expect(wire: Wire, bytes: Buffer, rows: ReadonlyArray<readonly string[]>): Promise<void> {
    wire.send(bytes)
    const messages = await wire.until('Z')
    const failed = this.#judge(messages, rows)
    if (!failed) return
    if (statusOf(messages) !== 'I') {
      wire.send(frames.query('ROLLBACK'))
      await wire.until('Z')
    }
    // What the error undid is not worked out: a new session begins.
    throw new Interrupted()
  }

  /** True when it was an error that was to be expected. */
  #judge(messages: readonly Message[], rows: ReadonlyArray<readonly string[]>): boolean {
    const error = errorOf(messages)
    if (error !== null) {
      const sqlstate = error['C'] ?? ''
      this.#count(sqlstate)
      if (!EXPECTED.has(sqlstate)) this.#counts.wrong.push(`${this.#own}: ${sqlstate} ${error['M']}`)
      return true
    }
    this.#counts.answers++
    const got = JSON.stringify(rowsOf(messages))
    if (got !== JSON.stringify(rows)) {
      this.#counts.wrong.push(`${this.#own} expected ${JSON.stringify(rows)}, got ${got}`)
    }
    return false
  }
}
