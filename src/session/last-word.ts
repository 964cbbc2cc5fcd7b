/** The last message to a client that may still be sending. */
import type { Socket } from 'node:net'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { errorOf } from '../protocol/backend-messages.ts'

/** How long what it still sends is dropped, once it has been told. */
const LINGER_MS = 1000
/** How long it may take to read what it is to be told. */
const TELL_MS = 30_000

/**
 * Ends a connection with this error. A socket that is closed with bytes unread resets the connection, and the reset makes
 * the client's kernel throw away the message (RFC 1122, 4.2.2.13): what still comes is read and dropped until the client
 * closes as well, or its time is over.
 */
export function lastWord(socket: Socket, error: ShardwayError): void {
  socket.removeAllListeners('data')
  socket.on('data', () => undefined)
  let timer = setTimeout(() => socket.destroy(), TELL_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.end(errorOf(error, 'FATAL'), () => {
    clearTimeout(timer)
    timer = setTimeout(() => socket.destroy(), LINGER_MS)
    timer.unref()
  })
  timer.unref()
  socket.resume()
}
