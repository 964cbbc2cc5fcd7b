/**
 * A client's transaction as the proxy sees it. BEGIN is answered at once and travels with the first statement, since only
 * that one tells the shard. States:
 *
 *   none      no block is open
 *   virtual   BEGIN was answered, no server has it yet
 *   open      a server runs it; the server's own status is the truth
 *   failed    an error of the proxy's own ended a virtual block: 25P02 until ROLLBACK
 *
 * While only preliminaries ran on the server (SET LOCAL, SHOW, SAVEPOINT: `prelude`), the block may still move to another
 * shard: they are run again there.
 */
import type { MarkSet } from '../../pool/marks.ts'
import type { Settings } from '../../pool/server-state.ts'
import type { RunningUnit } from './running-unit.ts'
import type { ContextSnapshot } from './session-context.ts'
import { IDLE, IN_FAILED_TRANSACTION, IN_TRANSACTION } from '../protocol/codes.ts'

const NO_NAMES: ReadonlySet<string> = new Set()

export type TransactionState = 'none' | 'virtual' | 'open' | 'failed'

const TRANSITIONS: Readonly<Record<TransactionState, readonly TransactionState[]>> = {
  none: ['virtual', 'open'],
  virtual: ['open', 'failed', 'none'],
  open: ['none', 'virtual'],
  failed: ['none'],
}

export class Transaction {
  #state: TransactionState = 'none'
  #settings: ReadonlySet<string> = NO_NAMES
  /** Text of the BEGIN that no server has run yet. */
  begin = ''
  readOnly = false
  isolation = ''
  /** Shard index of the server that runs the block. */
  shard = -1
  /** The block runs on a standby. */
  replica = false
  /** Texts that ran since BEGIN, while nothing else did; null once something else ran. */
  prelude: string[] | null = null
  /** Reads ran that any shard could answer: with a snapshot of the whole block they could not be left behind. */
  hasRead = false
  marks: MarkSet | null = null
  startedUs = 0
  changesCatalog = false
  /** Statements of the block may have made or ended what pins stand for. */
  touchesPins = false
  /** What the session was before BEGIN: on a server that the block moves to, its preliminaries change it again from there. */
  outside: ContextSnapshot | null = null
  /** What the server that the block left had by then: another has it when the preliminaries have run there. */
  inside: Settings | null = null
  /** Some statement of the block failed: a setting that it named may not even exist. */
  settingsInDoubt = false

  get state(): TransactionState {
    return this.#state
  }

  /** Settings that statements of the block named. */
  get settings(): ReadonlySet<string> {
    return this.#settings
  }

  /** The status byte that ReadyForQuery shows while no server says otherwise. */
  get status(): number {
    if (this.#state === 'none') return IDLE
    return this.#state === 'failed' ? IN_FAILED_TRANSACTION : IN_TRANSACTION
  }

  /** Nothing but preliminaries ran on the block's server. */
  get isMovable(): boolean {
    return this.#state === 'open' && this.prelude !== null && !this.replica
  }

  to(state: TransactionState): void {
    if (state === this.#state) return
    if (!TRANSITIONS[this.#state].includes(state)) {
      throw new Error(`illegal transition of a transaction from ${this.#state} to ${state}`)
    }
    this.#state = state
    if (state === 'none') this.#clear()
  }

  start(begin: string, readOnly: boolean, isolation: string, startedUs: number, outside: ContextSnapshot): void {
    this.to('virtual')
    this.outside = outside
    this.begin = begin
    this.readOnly = readOnly
    this.isolation = isolation
    this.prelude = []
    this.startedUs = startedUs
  }

  noteSettings(names: ReadonlySet<string> | null): void {
    if (names === null) return
    // Most blocks set nothing: the empty one is everybody's.
    if (this.#settings === NO_NAMES) this.#settings = new Set()
    for (const name of names) (this.#settings as Set<string>).add(name)
  }

  /** BEGIN stood among the unit's statements: what they did ends with the block, not with the unit. */
  opened({ shard, startedUs, marks, changesCatalog, touchesPins }: RunningUnit): void {
    this.to('open')
    this.shard = shard
    this.startedUs = startedUs
    this.marks = marks
    this.changesCatalog = changesCatalog
    this.touchesPins = touchesPins
  }

  #clear(): void {
    this.begin = ''
    this.readOnly = false
    this.isolation = ''
    this.shard = -1
    this.replica = false
    this.prelude = null
    this.hasRead = false
    this.changesCatalog = false
    this.touchesPins = false
    this.startedUs = 0
    this.outside = null
    this.inside = null
    this.#settings = NO_NAMES
    this.settingsInDoubt = false
  }
}
