import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { errorOf, statusOf } from '../support/messages.ts'
import { type Random, seeded } from '../support/random.ts'
import { MODES, render } from '../support/render.ts'
import { SAMPLE_TABLES, slotExpression } from '../support/sample-schema.ts'
import { otherStatement, randomGroup, randomKey, type Statement, statementFor } from '../support/statements.ts'
import { startSystem, type System } from '../support/system.ts'
import { Twin } from '../support/twin.ts'

const STATEMENTS = 10_000
const SESSIONS = 4
const SLOTS = 16384

class Session {
  readonly twin: Twin
  readonly prepared = new Set<string>()

  constructor(twin: Twin) {
    this.twin = twin
  }

  /** Gives the transaction status afterwards. */
  async run(random: Random, statement: Statement): Promise<string> {
    const mode = random.pick(MODES)
    let status = ''
    for (const batch of render(random, statement, mode, this.prepared)) {
      const answers = await this.twin.exchange(batch.bytes)
      const difference = this.twin.difference(answers, statement.ordered)
      if (difference !== null) {
        expect.soft(difference[1], `${mode}: ${JSON.stringify(statement)}`).toEqual(difference[0])
        throw new Error(`${mode}: ${statement.sql} ${JSON.stringify(statement.parameters)} is answered otherwise`)
      }
      if (batch.creates !== null && errorOf(answers.oracle) === null) this.prepared.add(batch.creates)
      status = statusOf(answers.oracle)
    }
    return status
  }

  async control(sql: string): Promise<string> {
    return statusOf(await this.twin.same(frames.query(sql)))
  }
}

/** A transaction over the rows of one key, with savepoints after errors. Gives the number of statements. */
async function transaction(random: Random, session: Session): Promise<number> {
  const group = randomGroup(random)
  const key = randomKey(random, group)
  await session.control(random.pick(['BEGIN', 'START TRANSACTION', 'begin isolation level repeatable read']))
  let count = 2
  let savepoint = false
  // The first statement with a key decides where the block runs; before it nothing that any shard could answer is said.
  let placed = false
  for (let left = 1 + random.below(6); left > 0; left--) {
    if (random.chance(0.25)) {
      await session.control('SAVEPOINT s')
      savepoint = true
      count++
    }
    const statement = placed && random.chance(0.1) ? inTransaction(random) : statementFor(random, group, key)
    const status = await session.run(random, statement)
    placed = true
    count++
    if (status === 'E' && savepoint && random.chance(0.8)) {
      await session.control('ROLLBACK TO s')
      count++
    }
  }
  const status = await session.control(random.pick(['COMMIT', 'COMMIT', 'END', 'ROLLBACK']))
  expect(status).toBe('I')
  return count
}

/** Reference tables, no table and errors: what fits any shard. */
function inTransaction(random: Random): Statement {
  for (;;) {
    const statement = otherStatement(random)
    if (!statement.sql.includes('notes')) return statement
  }
}

describe.each([1, 2])('oracle, workers=%i', workers => {
  let system: System

  beforeAll(async () => {
    system = await startSystem({ workers })
  })
  afterAll(async () => {
    await system.stop()
  })

  it(`${STATEMENTS} random statements for single keys`, { timeout: 600_000 }, async () => {
    const random = seeded(`oracle, workers=${workers}`)
    const sessions: Session[] = []
    for (let i = 0; i < SESSIONS; i++) sessions.push(new Session(await Twin.connect(system)))
    for (let done = 0; done < STATEMENTS; ) {
      const session = random.pick(sessions)
      if (random.chance(0.1)) {
        done += await transaction(random, session)
        continue
      }
      const group = randomGroup(random)
      const statement = random.chance(0.1)
        ? otherStatement(random)
        : statementFor(random, group, randomKey(random, group))
      await session.run(random, statement)
      done++
    }
    for (const session of sessions) await session.twin.end()
  })

  it('every row lies on the shard of its slot', async () => {
    const { shards } = system.cluster
    for (const [index, shard] of shards.entries()) {
      const first = Math.floor((index * SLOTS) / shards.length)
      const last = Math.floor(((index + 1) * SLOTS) / shards.length) - 1
      for (const { name, key } of SAMPLE_TABLES) {
        if (key === null) continue
        const { rows } = await shard.primary.server.query(
          `SELECT ${key} AS key FROM ${name} WHERE ${slotExpression(name)} NOT BETWEEN ${first} AND ${last}`,
        )
        expect(rows, `${name} on ${shard.name}`).toEqual([])
      }
    }
  })

  it("the shards together hold the oracle's rows, and each its part of them", async () => {
    for (const { name, key } of SAMPLE_TABLES) {
      const sql = `SELECT to_jsonb(t) AS row FROM ${name} t ORDER BY to_jsonb(t)::text COLLATE "C"`
      const parts = await Promise.all(system.cluster.shards.map(shard => shard.primary.server.query(sql)))
      const expected = await system.oracleServer?.query(sql)
      if (key === null) {
        for (const part of parts) expect(part.rows).toEqual(expected?.rows)
        continue
      }
      const text = (rows: unknown[]): string[] => rows.map(row => JSON.stringify(row)).sort()
      expect(text(parts.flatMap(part => part.rows))).toEqual(text(expected?.rows ?? []))
      if (name !== 'words') for (const part of parts) expect(part.rows.length, name).toBeGreaterThan(0)
    }
  })
})
