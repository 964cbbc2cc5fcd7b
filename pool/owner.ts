import type { ShardwayError } from '../src/errors/shardway-error.ts'
import type { ServerConnection } from './server-connection.ts'

/** Who waits for the answer to a request: a client's session, or the proxy itself (`internal-query.ts`). */
export interface Owner {
  /** Bytes of the answer, in order; ranges of whole or partial frames. The buffer may be kept. */
  onServerBytes(server: ServerConnection, buffer: Buffer, start: number, end: number): void
  /** A frame that the proxy answers with itself, due now: nothing is outstanding before it. */
  onLocalBytes(server: ServerConnection, frame: Buffer): void
  /**
   * A whole ErrorResponse below FATAL. False: it is not to be forwarded. `skipped`: it answers an entry with SKIP (which is
   * never forwarded), whose data is `data`.
   */
  onServerError(
    server: ServerConnection,
    buffer: Buffer,
    start: number,
    end: number,
    skipped: boolean,
    data: unknown,
  ): boolean
  /** A whole CommandComplete. False: it is not to be forwarded. */
  onCommandComplete(server: ServerConnection, buffer: Buffer, start: number, end: number): boolean
  /** A whole NoticeResponse to a request of the owner's. */
  onNotice(server: ServerConnection, buffer: Buffer, start: number, end: number): void
  /** A row or COPY data is about to be forwarded for the first time in this chunk. */
  onFirstRow(server: ServerConnection): void
  /** A whole ParameterDescription, about to be forwarded; `data` is the Describe entry's. */
  onParameterDescription(server: ServerConnection, buffer: Buffer, start: number, data: unknown): void
  /** A whole RowDescription that answers a Describe, about to be forwarded; `data` is that entry's. */
  onRowDescription(server: ServerConnection, buffer: Buffer, start: number, end: number, data: unknown): void
  onParameterStatus(server: ServerConnection, name: string, value: string): void
  onCopyIn(server: ServerConnection): void
  /** A request that an earlier error in its batch, or its own, undid. `data` is the entry's. */
  onRequestDropped(server: ServerConnection, kind: number, data: unknown): void
  /** ReadyForQuery came with this status; true when the frame is to be forwarded as it is. */
  beforeReady(server: ServerConnection, status: number): boolean
  /** All bytes up to ReadyForQuery have been handed over. Called for skipped ones too. */
  onReady(server: ServerConnection, status: number): void
  /** The server can take more bytes again. */
  onServerDrain(server: ServerConnection): void
  /** The connection is gone; nothing more comes. `error` says what the server or the network said. */
  onServerLost(server: ServerConnection, error: ShardwayError): void
}
