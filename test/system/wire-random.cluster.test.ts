/**
 * Random pipelines, with any mix of Flush and Sync, against a direct connection. A failing one is shrunk and printed.
 * SHARDWAY_TEST_RUNS: how many.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, type Message } from '../support/messages.ts'
import { seeded } from '../support/random.ts'
import { functionCall } from '../support/session-states.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const RUNS = Number(process.env['SHARDWAY_TEST_RUNS'] ?? 150)

interface Piece {
  readonly name: string
  readonly bytes: Buffer
  /** Only where no batch is open: at the beginning and behind a Sync or another of these. */
  readonly alone: boolean
}

const PORTALS = ['', '', 'a', 'b']
const STATEMENTS = ['a', 'b']
/** Names are resolved by a server: what is wrong in the text comes before a name that is taken. */
const UNRESOLVED = /nonsense/
/** They end portals or statements: what names those in the same batch is not compared. */
const ENDING = /^(COMMIT|ROLLBACK|DISCARD|DEALLOCATE)/
/** The proxy asks for settings behind these, by a query of its own: with it the unnamed portal of the block is gone (session.md). */
const READ_BACK = /\b(SET|SAVEPOINT|RELEASE|ROLLBACK TO)\b/
const OF_UNNAMED = /^(Execute {2}\d+|Describe portal )$/
const TEXTS = [
  'SELECT 1 AS one',
  'SELECT generate_series(1, 5)',
  'SELECT name FROM customers WHERE id = 1',
  "UPDATE customers SET note = 'n' WHERE id = 1",
  'SELECT id, amount FROM orders WHERE customer_id = 1 ORDER BY id',
  'INSERT INTO orders VALUES (1, 100, 1) RETURNING amount',
  'SELECT 1/0',
  'SELECT nonsense',
  'SELEKT',
  '',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'RELEASE s',
  "SET TimeZone = 'Asia/Tokyo'",
  "SET LOCAL TimeZone = 'Asia/Tokyo'",
  'SHOW TimeZone',
  'DISCARD ALL',
  'DEALLOCATE ALL',
]
const QUERIES = [...TEXTS, 'SELECT 1; SELECT 2', 'SELECT 1; SELECT 1/0; SELECT 3', 'COPY (SELECT 1) TO STDOUT', ';']

const piece = (name: string, bytes: Buffer, alone = false): Piece => ({ name, bytes, alone })
const portalName = fc.constantFrom(...PORTALS)
const statementName = fc.constantFrom(...STATEMENTS)
const named = TEXTS.filter(text => !UNRESOLVED.test(text) && !ENDING.test(text) && text !== 'BEGIN')
const after = (text: string): Buffer => {
  if (ENDING.test(text)) return frames.sync
  // A finished BEGIN that is executed again is answered as another one.
  return text === 'BEGIN' ? frames.closePortal() : Buffer.alloc(0)
}
/**
 * What a skipped Parse or Close would have done to a name is not undone here as a server does: those stand behind a Sync.
 */
const synced = (of: string, ...parts: readonly Buffer[]): Piece =>
  piece(`Sync, ${of}`, Buffer.concat([frames.sync, ...parts]))
const extended: fc.Arbitrary<Piece> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...named), statementName)
      .map(([text, statement]) => piece(`Parse ${statement} ${text}`, frames.parse(text, statement))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...TEXTS), fc.constantFrom(frames.sync, frames.flush))
      .map(([text, between]) =>
        synced(
          `Parse ${text}, ${between[0]}, Bind`,
          frames.parse(text),
          between,
          frames.bind(),
          frames.execute(),
          after(text),
        ),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(statementName, portalName, fc.constantFrom(0, 1))
      .map(([statement, portal, format]) =>
        piece(`Bind ${statement} ${portal}`, frames.bind({ statement, portal, results: [format] })),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(portalName, fc.constantFrom(0, 0, 1, 2, 100))
      .map(([portal, limit]) => piece(`Execute ${portal} ${limit}`, frames.execute(portal, limit))),
  },
  { weight: 1, arbitrary: statementName.map(of => piece(`Describe statement ${of}`, frames.describeStatement(of))) },
  { weight: 1, arbitrary: portalName.map(of => piece(`Describe portal ${of}`, frames.describePortal(of))) },
  { weight: 1, arbitrary: statementName.map(of => synced(`Close statement ${of}`, frames.closeStatement(of))) },
  { weight: 1, arbitrary: portalName.map(of => synced(`Close portal ${of}`, frames.closePortal(of))) },
  { weight: 1, arbitrary: fc.constant(piece('Flush', frames.flush)) },
  { weight: 4, arbitrary: fc.constant(piece('Sync', frames.sync)) },
  // A whole execution at once: most of the others name what is not there.
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...TEXTS), fc.constantFrom(0, 0, 2))
      .map(([text, limit]) =>
        piece(
          `Run ${text} ${limit}`,
          Buffer.concat([frames.parse(text), frames.bind(), frames.execute('', limit), after(text)]),
        ),
      ),
  },
)
const single: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...QUERIES).map(text => piece(`Query ${text}`, frames.query(text), true)) },
  { weight: 1, arbitrary: fc.constant(piece('FunctionCall', functionCall('ABC'), true)) },
)
const pipeline = fc.array(fc.oneof({ weight: 4, arbitrary: extended }, { weight: 1, arbitrary: single }), {
  minLength: 1,
  maxLength: 25,
})

/** The pieces with a Sync before each that must not stand in an open batch. */
function withSyncs(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = []
  let open = false
  for (const one of pieces) {
    if (one.alone && open) all.push(piece('Sync', frames.sync))
    all.push(one)
    open = !one.alone && one.name !== 'Sync'
  }
  return [...all, piece('Sync', frames.sync)]
}

/** On several shards: function calls, and a Parse behind what may change the meaning of names. */
const REFUSED = /^FunctionCall$|(Run|Parse) .*DISCARD ALL/

const MARK = 'the end of it'
const END = Buffer.concat([frames.query('ROLLBACK'), frames.query(`SELECT '${MARK}'`)])

describe.each([
  [1, 1],
  [2, 2],
])('random pipelines, workers=%i, shards=%i', (workers, shards) => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers, shards, replicas: 0 })
    const twin = await Twin.connect(system)
    await twin.same(frames.query("INSERT INTO customers (id, name) VALUES (1, 'customer 1')"))
    for (let id = 1; id <= 4; id++) await twin.same(frames.query(`INSERT INTO orders VALUES (1, ${id}, ${id})`))
    await twin.end()
  })
  afterAll(async () => {
    await system.stop()
  })

  async function toMark(next: () => Promise<Message>): Promise<Message[]> {
    const seen: Message[] = []
    for (let found = false; ; ) {
      const message = await next()
      if (message.type !== 'S') seen.push(message)
      if (message.type === 'D' && message.body.includes(MARK)) found = true
      if (message.type === 'Z' && found) return seen
    }
  }

  it('are answered as the oracle answers', { timeout: 240_000 }, async () => {
    const { seed } = seeded(`random pipelines, ${workers} workers, ${shards} shards`)
    const property = fc.asyncProperty(pipeline, async pieces => {
      // What several shards refuse is not compared here.
      const allowed = shards === 1 ? pieces : pieces.filter(one => !REFUSED.test(one.name))
      const reads = allowed.some(one => READ_BACK.test(one.name))
      const all = withSyncs(reads ? allowed.filter(one => !OF_UNNAMED.test(one.name)) : allowed)
      const twin = await Twin.connect(system)
      try {
        const bytes = Buffer.concat([...all.map(one => one.bytes), END])
        twin.proxy.send(bytes)
        twin.oracle.send(bytes)
        const [proxy, oracle] = await Promise.all([
          toMark(() => twin.proxy.next(5000)),
          toMark(() => twin.oracle.next(5000)),
        ])
        // A block may have begun on one shard and come to another.
        if (shards > 1 && proxy.some(one => one.type === 'E' && errorOf([one])?.['C'] === '0A000')) return
        const difference = twin.difference({ proxy, oracle })
        const said = all.map(one => one.name).join(' | ')
        if (difference !== null) expect({ said, answer: difference[1] }).toEqual({ said, answer: difference[0] })
      } finally {
        twin.proxy.destroy()
        twin.oracle.destroy()
        await system.connectOracle().then(wire => wire.end())
      }
    })
    await fc.assert(property, { seed, numRuns: RUNS, endOnFailure: false })
  })
})
