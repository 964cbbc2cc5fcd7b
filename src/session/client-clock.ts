/** When a client's statement, transaction and pauses began, from what its executor knows anyway. */
import type { Executor } from '../execute/executor.ts'
import type { ClientTimes } from './timeouts.ts'

interface Timed {
  readonly executor: Executor
  /** The part handed in last is not on its way yet. */
  readonly busy: boolean
}

export class ClientClock {
  readonly #session: Timed
  /** Since which tick the parts of a batch were all answered, while its Sync is to come. */
  #quietUs = 0

  constructor(session: Timed) {
    this.#session = session
  }

  /** Called at every tick. */
  read(now: number): ClientTimes {
    const { running, transaction, links, lastEndUs } = this.#session.executor
    const inBlock = transaction.state !== 'none'
    if (running === null) {
      this.#quietUs = 0
      const idle = inBlock || links.size > 0 ? null : lastEndUs
      return {
        statementUs: null,
        transactionUs: inBlock ? transaction.startedUs : null,
        idleInTransactionUs: inBlock ? lastEndUs : null,
        idleUs: idle,
      }
    }
    const { server, startedUs } = running
    const sentUs = server === null ? startedUs : server.state.requestAtMs * 1000
    // A COPY under way owes its CommandComplete: something is outstanding.
    const quiet = !running.complete && !this.#session.busy && (server === null || server.outstanding === 0)
    if (!quiet) this.#quietUs = 0
    else if (this.#quietUs < sentUs) this.#quietUs = now
    return {
      statementUs: quiet ? null : Math.max(sentUs, startedUs),
      transactionUs: inBlock ? transaction.startedUs : startedUs,
      idleInTransactionUs: quiet ? this.#quietUs : null,
      idleUs: null,
    }
  }
}
