/** An honest client among the others: whatever it is answered must be its own. */
import { createHash } from 'node:crypto'
import { frames } from '../support/frames.ts'
import { type Message, valuesOf } from '../support/messages.ts'
import type { Random } from '../support/random.ts'
import { Wire, type WireOptions } from '../support/wire.ts'

/** Seen in any text, it says whose answer that was. */
const MARK = /mark-(\d+)-(\d+)-([0-9a-f]{8})/g
/** An answer that was changed on its way may never end. */
const ANSWER_LIMIT_MS = 5000
/** With honest servers every answer comes, however busy the machine is. */
const STRICT_LIMIT_MS = 60_000

export interface ClientCounts {
  answers: number
  connections: number
  /** Answers that never came, and connections that broke. */
  broken: number
  foreign: string[]
  wrong: string[]
}

export const newCounts = (): ClientCounts => ({ answers: 0, connections: 0, broken: 0, foreign: [], wrong: [] })

function mark(client: number, serial: number): string {
  const check = createHash('md5').update(`${client}-${serial}`).digest('hex').slice(0, 8)
  return `mark-${client}-${serial}-${check}`
}

export class MarkedClient {
  readonly #id: number
  readonly #target: WireOptions
  readonly #random: Random
  readonly #counts: ClientCounts
  /** The way to the servers is honest: every answer must come, and be right. */
  readonly #strict: boolean
  #serial = 0

  constructor(id: number, target: WireOptions, random: Random, counts: ClientCounts, strict: boolean) {
    this.#id = id
    this.#target = target
    this.#random = random
    this.#counts = counts
    this.#strict = strict
  }

  async run(stopped: () => boolean): Promise<void> {
    while (!stopped()) {
      let wire: Wire | null = null
      try {
        wire = await Wire.connect({ ...this.#target, parameters: { application_name: `client ${this.#id}` } })
        this.#counts.connections++
        for (let left = 1 + this.#random.below(30); left > 0 && !stopped(); left--) await this.#ask(wire)
      } catch (error) {
        this.#counts.broken++
        if (this.#strict) this.#counts.wrong.push(`client ${this.#id}: ${String(error)}`)
        // Refused at once, it would only go round in circles.
        await new Promise(resolve => setTimeout(resolve, 20))
      } finally {
        wire?.destroy()
      }
    }
  }

  async #ask(wire: Wire): Promise<void> {
    const own = mark(this.#id, ++this.#serial)
    const { bytes, rows } = this.#statement(own)
    wire.send(bytes)
    const messages: Message[] = []
    for (;;) {
      const message = await wire.next(this.#strict ? STRICT_LIMIT_MS : ANSWER_LIMIT_MS)
      messages.push(message)
      this.#look(message, own)
      if (message.type === 'Z') break
    }
    this.#counts.answers++
    if (!this.#strict) return
    const got = messages.filter(({ type }) => type === 'D' || type === 'd').map(({ body }) => body.toString('latin1'))
    if (got.length !== rows || got.some(text => !text.includes(own))) {
      const said = messages.map(({ type, body }) => `${type}${body.toString('latin1')}`).join(' ')
      this.#counts.wrong.push(`client ${this.#id} asked for ${rows} × ${own}: ${said.slice(0, 300)}`)
    }
  }

  #statement(own: string): { bytes: Buffer; rows: number } {
    const random = this.#random
    const rows = 1 + random.below(5)
    const tail = `FROM generate_series(1, ${rows})`
    switch (random.below(5)) {
      case 0:
        return { bytes: frames.query(`SELECT '${own}' ${tail}`), rows }
      case 1: {
        const parts = [frames.parse(`SELECT $1::text ${tail}`), frames.bind({ parameters: [own] }), frames.execute()]
        return { bytes: Buffer.concat([...parts, frames.sync]), rows }
      }
      case 2: {
        const name = `s${this.#serial}`
        const parts = [
          frames.parse(`SELECT $1::text, current_setting('application_name') ${tail}`, name),
          frames.bind({ statement: name, parameters: [own] }),
          frames.describePortal(),
          frames.execute(),
          frames.closeStatement(name),
        ]
        return { bytes: Buffer.concat([...parts, frames.sync]), rows }
      }
      case 3:
        return { bytes: frames.query(`COPY (SELECT '${own}' ${tail}) TO STDOUT`), rows }
      default:
        return { bytes: frames.query(`BEGIN; SELECT '${own}' ${tail}; COMMIT`), rows }
    }
  }

  #look({ type, body }: Message, own: string): void {
    if (type !== 'D' && type !== 'd') return
    const values = type === 'd' ? [body] : safely(() => valuesOf({ type, body }))
    for (const value of values) {
      for (const [found, client, serial] of value?.toString('latin1').matchAll(MARK) ?? []) {
        // One that was changed on its way says nothing.
        if (found !== own && found === mark(Number(client), Number(serial))) {
          this.#counts.foreign.push(`client ${this.#id} asked for ${own} and got ${found}`)
        }
      }
    }
  }
}

function safely(read: () => Array<Buffer | null>): Array<Buffer | null> {
  try {
    return read()
  } catch {
    return []
  }
}
