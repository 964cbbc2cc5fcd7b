/** A client that says what no honest one would. */
import { COPY_EXCHANGES } from '../support/copy-exchanges.ts'
import { EXTENDED_EXCHANGES } from '../support/extended-exchanges.ts'
import { frames } from '../support/frames.ts'
import type { Random } from '../support/random.ts'
import { SIMPLE_EXCHANGES } from '../support/simple-exchanges.ts'
import { Wire, type WireOptions } from '../support/wire.ts'
import { mutate, noise } from './mutate.ts'

export interface AttackCounts {
  sessions: number
  refused: number
  bytesSent: number
  /** Sessions that did not end when they were told to. */
  hanging: string[]
}

export const newAttackCounts = (): AttackCounts => ({ sessions: 0, refused: 0, bytesSent: 0, hanging: [] })

/** A session whose client has gone, or said so, is over well within this. */
const END_LIMIT_MS = 30_000

const LARGE = 'x'.repeat(100_000)
const STEPS: readonly Buffer[] = [
  ...[...EXTENDED_EXCHANGES, ...SIMPLE_EXCHANGES, ...COPY_EXCHANGES].flatMap(({ steps }) =>
    steps.map(({ bytes }) => bytes),
  ),
  frames.query(`SELECT length('${LARGE}')`),
  Buffer.concat([
    frames.parse('SELECT length($1::text)'),
    frames.bind({ parameters: [LARGE] }),
    frames.execute(),
    frames.sync,
  ]),
  Buffer.concat([frames.query('COPY notes FROM STDIN'), frames.copyData(`9001\t${LARGE}\n`), frames.copyFail('no')]),
]

export class Attacker {
  readonly #target: WireOptions
  readonly #random: Random
  readonly #counts: AttackCounts

  constructor(target: WireOptions, random: Random, counts: AttackCounts) {
    this.#target = target
    this.#random = random
    this.#counts = counts
  }

  async run(stopped: () => boolean): Promise<void> {
    while (!stopped()) await this.#session()
  }

  async #session(): Promise<void> {
    const random = this.#random
    this.#counts.sessions++
    const wire = await Wire.open(this.#target)
    wire.socket.removeAllListeners('data')
    try {
      const anonymous = random.chance(0.25)
      if (anonymous) await this.#send(wire, this.#beforeLogin())
      else {
        wire.destroy()
        return await this.#loggedIn()
      }
      await this.#end(wire)
    } finally {
      wire.destroy()
    }
  }

  async #loggedIn(): Promise<void> {
    const random = this.#random
    let wire: Wire
    try {
      wire = await Wire.connect({ ...this.#target, protocol: random.pick([196608, 196610, 196615]) })
    } catch {
      this.#counts.refused++
      return
    }
    try {
      const valid = Buffer.concat(Array.from({ length: 1 + random.below(4) }, () => random.pick(STEPS)))
      await this.#send(wire, random.chance(0.05) ? noise(random, 200) : mutate(random, valid))
      if (random.chance(0.1)) wire.socket.resetAndDestroy()
      else await this.#end(wire)
    } finally {
      wire.destroy()
    }
  }

  #beforeLogin(): Buffer {
    const random = this.#random
    const startup = frames.startup({ user: 'app', database: 'app', options: '-c work_mem=1MB', '_pq_.x': '1' }, 196610)
    const first = random.pick([
      startup,
      frames.sslRequest,
      frames.gssRequest,
      frames.cancel(random.below(0x7fffffff), noise(random, random.pick([4, 32, 256]))),
      Buffer.concat([frames.sslRequest, startup]),
      Buffer.concat([startup, frames.password(`SCRAM-SHA-256\0\0\0\0\x10n,,n=,r=abcdefgh`)]),
    ])
    return random.chance(0.2) ? noise(random, 1 + random.below(300)) : mutate(random, first)
  }

  /** In one piece, or cut. */
  async #send(wire: Wire, bytes: Buffer): Promise<void> {
    this.#counts.bytesSent += bytes.length
    if (bytes.length > 1 && this.#random.chance(0.3)) {
      const cuts = Array.from({ length: 1 + this.#random.below(3) }, () => 1 + this.#random.below(bytes.length - 1))
      await wire.sendSplit(bytes, ...cuts.toSorted((a, b) => a - b)).catch(() => {})
    } else if (!wire.socket.destroyed) wire.send(bytes)
  }

  /** Says goodbye, or just closes, and waits for the other side to do so too. */
  async #end(wire: Wire): Promise<void> {
    const { socket } = wire
    if (socket.destroyed) return
    socket.resume()
    if (this.#random.chance(0.5)) socket.write(Buffer.concat([frames.sync, frames.terminate]))
    socket.end()
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => {
        this.#counts.hanging.push(`a session did not end in ${END_LIMIT_MS} ms`)
        resolve()
      }, END_LIMIT_MS)
      socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
