/**
 * Puts a unit's messages on a server connection, with what must go before them: statements that the server does not have
 * yet. Messages that need no change travel as the ranges they arrived in. Prepared names are the shared ones.
 */
import type { Owner } from '../../pool/owner.ts'
import {
  KIND_BIND,
  KIND_CLOSE,
  KIND_DESCRIBE,
  KIND_EXECUTE,
  KIND_FUNCTION,
  KIND_PARSE,
  KIND_QUERY,
  KIND_SYNC,
  SKIP,
} from '../../pool/request-queue.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import * as messages from '../protocol/backend-messages.ts'
import {
  closeStatement,
  describeStatement,
  parseBindExecute,
  parseNamed,
  renameBind,
} from '../protocol/frontend-messages.ts'
import { serverNameOf, type Statement } from './statement.ts'
import {
  OP_BIND,
  OP_CLOSE_PORTAL,
  OP_CLOSE_STATEMENT,
  OP_DESCRIBE_PORTAL,
  OP_DESCRIBE_STATEMENT,
  OP_EXECUTE,
  OP_FLUSH,
  OP_FUNCTION,
  OP_PARSE,
  OP_PREPARE,
  OP_QUERY,
  OP_SYNC,
  type Step,
} from './unit.ts'

const prepared = messages.commandComplete('PREPARE')

/** Data of a Parse's queue entry: what is undone when it fails. */
export interface ParseEntry {
  readonly statement: Statement
  /** The client's own Parse, not one that the proxy put before a Bind. */
  readonly client: boolean
}

/** Collects neighbouring ranges of one buffer, so that a unit that needs no change is one write. */
class Ranges {
  readonly #server: ServerConnection
  #buffer: Buffer | null = null
  #start = 0
  #end = 0

  constructor(server: ServerConnection) {
    this.#server = server
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (this.#buffer === buffer && this.#end === start) {
      this.#end = end
      return
    }
    this.flush()
    this.#buffer = buffer
    this.#start = start
    this.#end = end
  }

  flush(): void {
    if (this.#buffer !== null) this.#server.send(this.#buffer.subarray(this.#start, this.#end))
    this.#buffer = null
  }

  send(bytes: Buffer): void {
    this.flush()
    this.#server.send(bytes)
  }
}

/** Sends the steps; `owner` gets the answers. */
export function emitSteps(server: ServerConnection, owner: Owner, steps: readonly Step[]): void {
  // Before the unit: between an Execute and its Sync a COPY would choke on them.
  if (server.state.prepared.hasEvicted) {
    for (const { statement } of steps) if (statement !== null && statement.name !== '') isPrepared(server, statement)
    emitEvictions(server, owner)
  }
  const ranges = new Ranges(server)
  for (const step of steps) emitStep(server, owner, step, ranges)
  ranges.flush()
  const moreBytes = steps.at(-1)?.moreBytes ?? 0
  if (moreBytes > 0) server.startPartial(moreBytes)
}

/** A statement of the proxy's own inside the client's unit, answered to nobody: on an error the whole unit fails with it. */
export function emitSilently(server: ServerConnection, owner: Owner, sql: string): void {
  server.expect(KIND_PARSE | SKIP, owner)
  server.expect(KIND_BIND | SKIP, owner)
  server.expect(KIND_EXECUTE | SKIP, owner)
  server.send(parseBindExecute(sql))
  server.state.unnamed = 0
}

function emitStep(server: ServerConnection, owner: Owner, step: Step, ranges: Ranges): void {
  const { statement } = step
  switch (step.op) {
    case OP_PREPARE:
      if (statement === null) return
      ensurePrepared(server, owner, statement, ranges)
      ranges.flush()
      return server.local(owner, prepared, statement)
    case OP_QUERY:
      if (statement !== null) ensurePrepared(server, owner, statement, ranges)
      server.expect(KIND_QUERY, owner, statement === null ? null : step)
      server.state.unnamed = 0
      return ranges.add(step.buffer, step.start, step.end)
    case OP_FUNCTION:
      server.expect(KIND_FUNCTION, owner)
      return ranges.add(step.buffer, step.start, step.end)
    case OP_PARSE:
      if (statement !== null) emitParse(server, owner, step, statement, ranges)
      return
    case OP_BIND:
      if (statement === null) return
      ensurePrepared(server, owner, statement, ranges)
      server.expect(KIND_BIND, owner, statement)
      if (statement.name === '') return ranges.add(step.buffer, step.start, step.end)
      return ranges.send(renameBind(step, serverNameOf(statement)))
    case OP_DESCRIBE_STATEMENT:
      if (statement === null) return
      ensurePrepared(server, owner, statement, ranges)
      server.expect(KIND_DESCRIBE, owner, statement)
      if (statement.name === '') return ranges.add(step.buffer, step.start, step.end)
      return ranges.send(describeStatement(serverNameOf(statement)))
    case OP_DESCRIBE_PORTAL:
      if (isEmpty(step)) return answer(server, owner, messages.noData, ranges)
      server.expect(KIND_DESCRIBE, owner)
      return ranges.add(step.buffer, step.start, step.end)
    case OP_EXECUTE:
      if (isEmpty(step)) return answer(server, owner, messages.emptyQueryResponse, ranges)
      server.expect(KIND_EXECUTE, owner)
      return ranges.add(step.buffer, step.start, step.end)
    case OP_CLOSE_PORTAL:
      server.expect(KIND_CLOSE, owner)
      return ranges.add(step.buffer, step.start, step.end)
    case OP_CLOSE_STATEMENT:
      // Named ones are shared and stay; the client's name is gone from its own list.
      ranges.flush()
      return server.local(owner, messages.closeComplete)
    case OP_SYNC:
      server.expect(KIND_SYNC, owner)
      return ranges.add(step.buffer, step.start, step.end)
    case OP_FLUSH:
      return ranges.add(step.buffer, step.start, step.end)
    default:
  }
}

/** A portal of an empty query, which may have been bound where no server was: it does nothing, and Postgres answers it everywhere. */
function isEmpty({ plan }: Step): boolean {
  return plan?.tier === 'empty'
}

function answer(server: ServerConnection, owner: Owner, frame: Buffer, ranges: Ranges): void {
  ranges.flush()
  server.local(owner, frame)
}

function emitParse(server: ServerConnection, owner: Owner, step: Step, statement: Statement, ranges: Ranges): void {
  if (statement.name !== '' && isPrepared(server, statement)) {
    ranges.flush()
    return server.local(owner, messages.parseComplete, statement)
  }
  server.expect(KIND_PARSE, owner, { statement, client: true } satisfies ParseEntry)
  register(server, statement)
  if (statement.name === '' && server.patch === null) return ranges.add(step.buffer, step.start, step.end)
  ranges.send(parseFor(server, statement))
}

function ensurePrepared(server: ServerConnection, owner: Owner, statement: Statement, ranges: Ranges): void {
  if (isThere(server, statement)) return
  ranges.flush()
  sendParse(server, owner, statement)
}

/** Has the statement on the server before what is sent next; answered to nobody. */
export function prepareSilently(server: ServerConnection, owner: Owner, statement: Statement): void {
  if (server.state.prepared.hasEvicted) emitEvictions(server, owner)
  if (!isThere(server, statement)) sendParse(server, owner, statement)
}

function isThere(server: ServerConnection, statement: Statement): boolean {
  return statement.name === '' ? server.state.unnamed === statement.id : isPrepared(server, statement)
}

function sendParse(server: ServerConnection, owner: Owner, statement: Statement): void {
  server.expect(KIND_PARSE | SKIP, owner, { statement, client: false } satisfies ParseEntry)
  register(server, statement)
  server.send(parseFor(server, statement))
}

/** The Parse that makes the statement on this server, under its shared name. */
export function parseFor(server: ServerConnection, statement: Statement): Buffer {
  const name = statement.name === '' ? '' : serverNameOf(statement)
  const patch = server.patch
  if (patch === null) return parseNamed(name, statement.rest)
  const rest = Buffer.from(statement.rest)
  const count = rest.readUInt16BE(statement.textLength + 1)
  for (let i = 0; i < count; i++) {
    const at = statement.textLength + 3 + 4 * i
    rest.writeUInt32BE(patch.typeForServer(rest.readUInt32BE(at)), at)
  }
  return parseNamed(name, rest)
}

export function hasStatement(server: ServerConnection, statement: Statement): boolean {
  if (statement.name === '') return server.state.unnamed === statement.id
  return server.state.prepared.isOnServer(statement.id)
}

/** Moves the statement to the young end of the server's list when it is there. */
export function isPrepared(server: ServerConnection, statement: Statement): boolean {
  return server.state.prepared.touch(statement.id)
}

export function register(server: ServerConnection, statement: Statement): void {
  server.state.parses++
  if (statement.name === '') {
    server.state.unnamed = statement.id
    return
  }
  server.state.prepared.add(statement.id, statement.textLength)
}

/** Closes statements that earlier units pushed out of the server's list. */
function emitEvictions(server: ServerConnection, owner: Owner): void {
  for (const id of server.state.prepared.takeEvicted()) {
    server.expect(KIND_CLOSE | SKIP, owner, id)
    server.send(closeStatement(`shardway_${id}`))
  }
}
