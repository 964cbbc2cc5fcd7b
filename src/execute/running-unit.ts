/** What is known about the unit under way. */
import type { SessionCommand } from '../../router/plan.ts'
import type { MarkSet } from '../../pool/marks.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { Watermark } from '../process/messages.ts'
import type { AutoStatement } from './auto-prepare.ts'
import type { Unit } from './unit.ts'

export class RunningUnit {
  readonly startedUs: number
  server: ServerConnection | null = null
  shard = -1
  /** The part last handed in; for a read on a replica the whole unit, in case the primary must answer it. */
  unit: Unit
  /** ReadyForQuery is due. */
  complete = false
  /** An error went out: everything up to Sync is dropped, as a server would. */
  failed = false
  /** Sent, and its success makes something durable: a lost answer is 08007. */
  mayCommit = false
  /** An explicit COMMIT is among it: no cancel is forwarded (soundness 19). */
  commits = false
  /** Set while a replica answers. */
  watermark: Watermark | null = null
  /** Its client asked to cancel it: it is not run anywhere else. */
  cancelled = false
  /** The replica failed before its first row: the primary answers. */
  retry = false
  /** Runs under a name that the proxy prepared; until its first row an error means that it runs once more, plainly. */
  auto: AutoStatement | null = null
  again = false
  /** To be run as the client sent it. */
  plain = false
  /** Only Parse and Describe before a Flush: run apart, since the shard is known with Bind. */
  scout = false
  /** A cancel interrupted the wait for synchronous replication: the outcome is not known. */
  uncertain = false
  marks: MarkSet | null = null
  changesCatalog = false
  touchesPins = false
  /** A pin that goes if the unit fails before any statement of it has succeeded: its text was not read. */
  unreadPin: string | null = null
  /** The server is to be asked what is left of the causes of its pins. */
  readsPins = false
  /** BEGIN is among it: an error of the connection ends the client, which believes in a block. */
  begins = false
  /** What had run in the block before this unit opened it on a server; null when it did not. */
  preludeBefore: string[] | null = null
  /** Texts of this unit at the end of the block's prelude; those of a failed one are not run again. */
  preliminaries = 0
  /** Settings to be asked for when all else is answered. */
  toRead: readonly string[] = []
  /** All is answered but ReadyForQuery: settings are being read back. */
  reading = false
  /** ReadyForQuery was forwarded as the server sent it. */
  answered = false
  /** Settings to be read back, and those that go back to the session's start. */
  settings: Set<string> | null = null
  resets: Set<string> | null = null
  /** Some of them may not exist, or not be for this role to read: a statement that named them failed. */
  settingsInDoubt = false
  resetAll = false
  /** Commands of it that a server answers by COMMIT, ROLLBACK, SAVEPOINT or RELEASE, in order; null for none. */
  tagged: SessionCommand[] | null = null
  /** The last of COMMIT and ROLLBACK that a server answered. */
  ended = ''
  /** A part of it that was sent changes what texts mean. */
  changesMeaning = false
  /** ROLLBACK is among it: what it writes behind that is no part of the block. */
  rollsBack = false
  /** A part of it that was sent takes the block out of its failure. */
  endedFailure = false
  /** COMMIT or ROLLBACK AND CHAIN, or BEGIN behind one: the block that is open afterwards is another. */
  chains = false
  /** Statements executed, for the statistics. */
  queries = 0

  constructor(unit: Unit, startedUs: number) {
    this.unit = unit
    this.startedUs = startedUs
  }
}
