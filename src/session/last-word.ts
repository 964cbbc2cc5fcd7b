/** The last message to a client that may still be sending. */
import type { Socket } from 'node:net'
import type { ShardwayError } from '../errors/shardway-error.ts'
import { errorOf } from '../protocol/backend-messages.ts'

/** How long what it still sends is dropped, once it has been told. */
const LINGER_MS = 1000

/**
 * Ends a connection with this error. A socket that is closed with bytes unread resets the connection, and the reset makes
 * the client's kernel throw away the message (RFC 1122, 4.2.2.13): what still comes is read and dropped until the client
 * closes as well, or its time is over.
 */
export function lastWord(socket: Socket, error: ShardwayError): void {
  socket.removeAllListeners('data')
  socket.on('data', () => undefined)
  socket.end(errorOf(error, 'FATAL'), () => {
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  })
  socket.resume()
}
