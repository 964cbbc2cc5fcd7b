/** After a unit that may have changed the session: the server is asked for settings and pins before the client hears of its end. */
import { type InternalRows, internalQuery } from '../../pool/internal-query.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { errorOf } from '../protocol/backend-messages.ts'
import { IDLE } from '../protocol/codes.ts'
import { carrySettings } from './carry.ts'
import type { Executor } from './executor.ts'
import { notePins, PINS_QUERY, SETTING } from './pin-causes.ts'
import type { RunningUnit } from './running-unit.ts'
import { decidesPath, settingsQuery, showQuery } from './settings.ts'

export const QUERY_CANCELED = '57014'
/** SHOW of a setting that does not exist. */
const UNDEFINED = '42704'
/** The session's own statement_timeout, or a cancel request that came late, may end a question; not all of so many. */
export const TRIES = 10

const SAVEPOINT = 'SAVEPOINT shardway_ask'
const BACK = 'ROLLBACK TO SAVEPOINT shardway_ask; RELEASE SAVEPOINT shardway_ask'

/** `names`: settings to read. A server that cannot be asked is closed, and its client hears of that. */
export function readBack(
  executor: Executor,
  server: ServerConnection,
  running: RunningUnit,
  names: readonly string[],
  then: () => void,
): void {
  if (names.length === 0) return readPins(executor, server, running, then)
  if (running.settingsInDoubt) return readEach(executor, server, running, names, then)
  const settled = (rows: InternalRows | null): void => {
    if (rows === null) return then()
    carrySettings(executor.client, server, running, names, rows.flat())
    readPins(executor, server, running, then)
  }
  // In a block SHOW, where it will do: it takes no snapshot, so that SET TRANSACTION may still follow.
  const shown = server.status !== IDLE && !names.some(decidesPath)
  const each = (): void => readEach(executor, server, running, names, then)
  ask(executor, server, running, shown ? showQuery(names) : settingsQuery(names), settled, each)
}

/** One by one: some may not exist, or not be for this role to read. */
function readEach(
  executor: Executor,
  server: ServerConnection,
  running: RunningUnit,
  names: readonly string[],
  then: () => void,
  at = 0,
  tries = TRIES,
): void {
  const inBlock = server.status !== IDLE
  const name = names[at]
  if (name === undefined) return readPins(executor, server, running, then)
  const goOn = (error: ShardwayError | null): void => {
    if (error?.sqlstate === QUERY_CANCELED && tries > 1) {
      return readEach(executor, server, running, names, then, at, tries - 1)
    }
    // It may be set all the same: in a block it is asked for again at the end, else nobody but this session may have the server.
    if (error !== null && error.sqlstate !== UNDEFINED && !inBlock) executor.links.of(server)?.pin(SETTING)
    readEach(executor, server, running, names, then, at + 1)
  }
  const sql = inBlock && !decidesPath(name) ? showQuery([name]) : settingsQuery([name])
  internalQuery(server, inBlock ? `${SAVEPOINT}; ${sql}; RELEASE SAVEPOINT shardway_ask` : sql, (error, rows) => {
    if (executor.closed || server.closed) return
    if (error === null) carrySettings(executor.client, server, running, [name], rows.flat())
    if (error === null || !inBlock) return goOn(error)
    internalQuery(server, BACK, failure => {
      if (executor.closed || server.closed) return
      if (failure !== null) return server.destroy('what the session left on its server could not be read back')
      goOn(error)
    })
  })
}

function readPins(executor: Executor, server: ServerConnection, running: RunningUnit, then: () => void): void {
  const link = executor.links.of(server)
  if (!running.readsPins || link === undefined) return then()
  // In a block it would last as long as that.
  const sql = server.status === IDLE ? `SET LOCAL statement_timeout = 0; ${PINS_QUERY}` : PINS_QUERY
  ask(executor, server, running, sql, rows => {
    if (rows !== null) notePins(executor.client, link, rows[0] ?? [], server.status === IDLE)
    then()
  })
}

/** Calls back with null when the question was cancelled inside a block, which has failed by that: the client is told. */
function ask(
  executor: Executor,
  server: ServerConnection,
  running: RunningUnit,
  sql: string,
  callback: (rows: InternalRows | null) => void,
  otherwise: (() => void) | null = null,
  tries = TRIES,
): void {
  internalQuery(server, sql, (error, rows) => {
    if (executor.closed) return
    if (error === null) return callback(rows)
    // One of several may not be for this role to read.
    if (error.sqlstate !== QUERY_CANCELED && !server.closed && server.status === IDLE && otherwise !== null)
      return otherwise()
    if (error.sqlstate !== QUERY_CANCELED || server.closed || tries === 1) {
      return server.destroy('what the session left on its server could not be read back')
    }
    if (server.status === IDLE) return ask(executor, server, running, sql, callback, otherwise, tries - 1)
    executor.client.output.frame(errorOf(error))
    running.failed = true
    executor.transaction.prelude = null
    callback(null)
  })
}
