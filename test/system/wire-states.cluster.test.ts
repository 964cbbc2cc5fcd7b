/** Every message in every state, and what a server says to it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { frames } from '../support/frames.ts'
import { type Message, type Shown, show, valuesOf } from '../support/messages.ts'
import { childrenOf } from '../support/processes.ts'
import { FRONTEND_MESSAGES, SESSION_STATES, type SessionState } from '../support/session-states.ts'
import { startSystem, type System } from '../support/system.ts'
import { Wire } from '../support/wire.ts'

const MARK = 'the end of it'
const PROBE = Buffer.concat([frames.query('ROLLBACK'), frames.query(`SELECT '${MARK}'`)])

/** Documented differences: a simple query or function call in an unfinished batch ends the connection with 08P01. */
const REFUSED_IN_BATCH = /^(Query|FunctionCall)/

/** Postgres 18 loses its state in a query between Execute and Sync, and fails what comes next; the proxy gives another server. */
function withoutLostState(shown: Shown[]): Shown[] {
  const warning = { S: 'WARNING', V: 'WARNING', C: '25P01', M: 'there is no transaction in progress' }
  return shown.flatMap((message): Shown[] => {
    const text = (message[1] as Record<string, string> | undefined)?.['M'] ?? ''
    if (!text.startsWith('StartTransactionCommand: unexpected state')) return [message]
    return [
      ['NoticeResponse', warning],
      ['CommandComplete', 'ROLLBACK'],
    ]
  })
}

describe.each([1, 2])('every message in every state, workers=%i', workers => {
  let system: System
  let workerPids: number[]

  beforeAll(async () => {
    system = await startSystem({ workers, shards: 1, replicas: 0 })
    workerPids = childrenOf(system.shardway.pid)
  })
  afterAll(async () => {
    await system.stop()
  })
  afterEach(() => {
    system.dropClients()
    expect(childrenOf(system.shardway.pid)).toEqual(workerPids)
  })

  /** Everything up to the probe's answer, or to the end of the connection. */
  async function transcript(wire: Wire): Promise<{ messages: Message[]; ended: boolean }> {
    const messages: Message[] = []
    for (let found = false; ; ) {
      let message: Message
      try {
        message = await wire.next(5000)
      } catch (error) {
        if (!wire.closed) throw error
        return { messages, ended: true }
      }
      messages.push(message)
      if (message.type === 'D' && valuesOf(message)[0]?.toString() === MARK) found = true
      if (message.type === 'Z' && found) return { messages, ended: false }
    }
  }

  async function outcome(wire: Wire, state: SessionState, bytes: Buffer): Promise<Shown[]> {
    const before = await state.enter(wire)
    wire.send(bytes, state.leave, PROBE)
    const { messages, ended } = await transcript(wire)
    wire.destroy()
    const shown = [...before, ...messages].filter(({ type }) => type !== 'S').map(message => show(message))
    if (!ended) return shown
    // A server that ends the connection says so in one message or two; what counts is that, and the last one's code.
    const errors = shown.filter(([name]) => name === 'ErrorResponse')
    const last = errors.at(-1)?.[1] as Record<string, string> | undefined
    return [['ended'], last === undefined ? ['without a word'] : ['with', last['S'], last['C']]]
  }

  describe.each(SESSION_STATES)('$name', state => {
    it.each(FRONTEND_MESSAGES)('%s', async (name, bytes) => {
      const [proxy, oracle] = await Promise.all([
        outcome(await system.connect(), state, bytes),
        outcome(await system.connectOracle(), state, bytes),
      ])
      const inBatch = /^behind|^after an error/.test(state.name)
      if (inBatch && REFUSED_IN_BATCH.test(name) && proxy[0]?.[0] === 'ended') {
        expect(proxy).toEqual([['ended'], ['with', 'FATAL', '08P01']])
      } else if (name === 'Terminate') {
        // In COPY a server complains of it first.
        expect([proxy[0], oracle[0]]).toEqual([['ended'], ['ended']])
      } else expect(proxy).toEqual(withoutLostState(oracle))
    })
  })

  describe('before startup and during authentication', () => {
    it.each(FRONTEND_MESSAGES)('%s', async (_name, bytes) => {
      for (const first of [Buffer.alloc(0), frames.startup({ user: 'app', database: 'app' })]) {
        const wire = await system.open()
        wire.send(first, bytes)
        wire.socket.end()
        const messages = await wire.rest()
        // One request for a password at most, one error at most, and never a way in.
        expect(messages.map(({ type }) => type).join('')).toMatch(/^R?E?$/)
        wire.destroy()
      }
    })
  })
})
