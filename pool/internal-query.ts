/** A query of the proxy's own on a pooled connection: collects rows as text and calls back once. */
import { ShardwayError } from '../src/errors/shardway-error.ts'
import { nowUs } from '../src/observe/clock.ts'
import { DATA_ROW } from '../src/protocol/codes.ts'
import { errorFields } from '../src/protocol/error-fields.ts'
import { query } from '../src/protocol/frontend-messages.ts'
import type { Owner } from './owner.ts'
import { KIND_QUERY } from './request-queue.ts'
import type { ServerConnection } from './server-connection.ts'

export type InternalRows = ReadonlyArray<ReadonlyArray<string | null>>
/** `bytes`: all frames of the answer. */
type Callback = (error: ShardwayError | null, rows: InternalRows, bytes: Buffer) => void

/** Sends one simple query (several statements allowed) that answers few rows, and waits for nobody's locks: see `endStuck`. */
export function internalQuery(server: ServerConnection, sql: string, callback: Callback): void {
  server.state.unnamed = 0 // a simple query drops it
  server.state.internalSinceMs = nowUs() / 1000
  internalRequest(server, [KIND_QUERY], query(sql), (error, rows, bytes) => {
    server.state.internalSinceMs = 0
    callback(error, rows, bytes)
  })
}

/** Closes servers that owe the proxy itself an answer for too long (0: no limit): nobody else would notice. */
export function endStuck(servers: Iterable<ServerConnection>, nowMs: number, limitMs: number): void {
  for (const server of servers) {
    const since = server.state.internalSinceMs
    if (limitMs > 0 && since > 0 && nowMs - since > limitMs)
      server.destroy(`no answer to the proxy itself for ${limitMs} ms`)
  }
}

/** Sends messages of the proxy's own, which may wait for locks: no time limit; of these kinds in order; the last one is answered by ReadyForQuery. */
export function internalRequest(
  server: ServerConnection,
  kinds: readonly number[],
  messages: Buffer,
  callback: Callback,
): void {
  const owner = new InternalQuery(callback)
  for (const kind of kinds) server.expect(kind, owner)
  server.send(messages)
}

class InternalQuery implements Owner {
  readonly #callback: Callback
  readonly #chunks: Buffer[] = []
  #error: ShardwayError | null = null

  constructor(callback: Callback) {
    this.#callback = callback
  }

  onServerBytes(_server: ServerConnection, buffer: Buffer, start: number, end: number): void {
    this.#chunks.push(buffer.subarray(start, end))
  }

  onServerError(_server: ServerConnection, buffer: Buffer, start: number, end: number): boolean {
    const fields = errorFields(buffer, start, end)
    this.#error ??= new ShardwayError('server_error', fields.sqlstate, fields.message)
    return false
  }

  onReady(): void {
    const bytes = Buffer.concat(this.#chunks)
    this.#callback(this.#error, readRows(bytes), bytes)
  }

  onServerLost(_server: ServerConnection, error: ShardwayError): void {
    this.#callback(error, [], Buffer.alloc(0))
  }

  beforeReady(): boolean {
    return false
  }

  onCommandComplete(): boolean {
    return true
  }

  onNotice(): void {}
  onLocalBytes(): void {}
  onRowDescription(): void {}
  onFirstRow(): void {}
  onParameterDescription(): void {}
  onParameterStatus(): void {}
  onCopyIn(): void {}
  onRequestDropped(): void {}
  onServerDrain(): void {}
}

function readRows(bytes: Buffer): InternalRows {
  const rows: (string | null)[][] = []
  for (let offset = 0; offset + 5 <= bytes.length; ) {
    const end = offset + 1 + bytes.readUInt32BE(offset + 1)
    if (bytes[offset] === DATA_ROW) {
      const row: (string | null)[] = []
      let at = offset + 7
      for (let i = bytes.readInt16BE(offset + 5); i > 0; i--) {
        const length = bytes.readInt32BE(at)
        at += 4
        row.push(length < 0 ? null : bytes.toString('utf8', at, at + length))
        if (length > 0) at += length
      }
      rows.push(row)
    }
    offset = end
  }
  return rows
}
