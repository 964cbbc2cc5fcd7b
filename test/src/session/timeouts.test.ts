import { describe, expect, it } from 'vitest'
import { type ClientTimes, overdue, type TimeoutName } from '../../../src/session/timeouts.ts'

const NOTHING: ClientTimes = { statementUs: null, transactionUs: null, idleInTransactionUs: null, idleUs: null }
const LIMITS = {
  queryTimeoutMs: 10,
  idleTransactionTimeoutMs: 20,
  transactionTimeoutMs: 30,
  clientIdleTimeoutMs: 40,
}

describe('overdue', () => {
  it.each<[string, Partial<ClientTimes>, number, TimeoutName | null]>([
    ['nothing', {}, 1_000_000, null],
    ['a statement in time', { statementUs: 0, transactionUs: 0 }, 10_000, null],
    ['a statement', { statementUs: 0, transactionUs: 0 }, 10_001, 'query_timeout'],
    ['a pause in time', { transactionUs: 0, idleInTransactionUs: 1000 }, 21_000, null],
    ['a pause', { transactionUs: 0, idleInTransactionUs: 1000 }, 21_001, 'idle_transaction_timeout'],
    ['a transaction of short statements', { statementUs: 30_000, transactionUs: 0 }, 30_001, 'transaction_timeout'],
    [
      'a transaction with short pauses',
      { idleInTransactionUs: 30_000, transactionUs: 0 },
      30_001,
      'transaction_timeout',
    ],
    ['an idle client in time', { idleUs: 0 }, 40_000, null],
    ['an idle client', { idleUs: 0 }, 40_001, 'client_idle_timeout'],
  ])('%s', (_, times, now, expected) => {
    expect(overdue({ ...NOTHING, ...times }, LIMITS, now)).toBe(expected)
  })

  it('0 is no limit', () => {
    const none = { queryTimeoutMs: 0, idleTransactionTimeoutMs: 0, transactionTimeoutMs: 0, clientIdleTimeoutMs: 0 }
    const all = { statementUs: 0, transactionUs: 0, idleInTransactionUs: 0, idleUs: 0 }
    expect(overdue(all, none, 1e12)).toBe(null)
  })
})
