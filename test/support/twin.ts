/** One client of Shardway and one of the oracle that do the same and must see the same. */
import { expect } from 'vitest'
import { type Message, type Shown, show } from './messages.ts'
import type { System } from './system.ts'
import type { Wire, WireOptions } from './wire.ts'

export interface Answers {
  readonly proxy: Message[]
  readonly oracle: Message[]
}

export class Twin {
  readonly proxy: Wire
  readonly oracle: Wire
  readonly #proxyTypes: (oid: number) => string
  readonly #oracleTypes: (oid: number) => string

  constructor(proxy: Wire, oracle: Wire, proxyTypes: (oid: number) => string, oracleTypes: (oid: number) => string) {
    this.proxy = proxy
    this.oracle = oracle
    this.#proxyTypes = proxyTypes
    this.#oracleTypes = oracleTypes
  }

  static async connect(system: System, options: Partial<WireOptions> = {}): Promise<Twin> {
    const [proxy, oracle, proxyTypes, oracleTypes] = await Promise.all([
      system.connect(options),
      system.connectOracle(options),
      system.typeNames('proxy'),
      system.typeNames('oracle'),
    ])
    return new Twin(proxy, oracle, proxyTypes, oracleTypes)
  }

  /** Sends the bytes to both and gives what each answered, up to the n-th message of a type. */
  async exchange(bytes: Buffer, type = 'Z', count = 1): Promise<Answers> {
    this.proxy.send(bytes)
    this.oracle.send(bytes)
    const [proxy, oracle] = await Promise.all([this.proxy.until(type, count), this.oracle.until(type, count)])
    return { proxy, oracle }
  }

  /** What differs between two answers, as [oracle's, Shardway's]; null when nothing does. */
  difference({ proxy, oracle }: Answers, ordered = true): readonly [expected: Shown[], got: Shown[]] | null {
    const expected = arrange(
      oracle.map(message => show(message, this.#oracleTypes)),
      ordered,
    )
    const got = arrange(
      proxy.map(message => show(message, this.#proxyTypes)),
      ordered,
    )
    return JSON.stringify(expected) === JSON.stringify(got) ? null : [expected, got]
  }

  /** Sends the bytes to both and expects one answer. */
  async same(bytes: Buffer, type = 'Z', count = 1): Promise<Message[]> {
    const answers = await this.exchange(bytes, type, count)
    this.expectSame(answers)
    return answers.proxy
  }

  expectSame(answers: Answers, ordered = true): void {
    const difference = this.difference(answers, ordered)
    if (difference !== null) expect(difference[1]).toEqual(difference[0])
  }

  async end(): Promise<void> {
    await Promise.all([this.proxy.end(), this.oracle.end()])
  }
}

/** Rows without an ORDER BY are a set. */
function arrange(shown: Shown[], ordered: boolean): Shown[] {
  if (ordered) return shown
  const rows = shown
    .filter(([name]) => name === 'DataRow')
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return shown.map(message => (message[0] === 'DataRow' ? (rows.shift() ?? message) : message))
}
