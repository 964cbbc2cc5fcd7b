/** Cancel requests to servers, for clients that asked for one or are gone. */
import { cancelOnServer } from '../../pool/connect.ts'
import type { Link } from './links.ts'

const CANCEL_TIMEOUT_MS = 10_000

function send({ server, pool }: Link): Promise<void> {
  const { pid, secret } = server.identity
  return cancelOnServer(pool.options.login, pid, secret, CANCEL_TIMEOUT_MS)
}

/** The server goes on with its client; nobody else has it before the signal has certainly arrived. */
export function cancelOn(link: Link): void {
  const { server, pool } = link
  pool.cancelStarted(server)
  void send(link)
    .catch(() => server.destroy('cancel request failed'))
    .then(() => pool.cancelEnded(server))
}

/** The connection is closed anyway: what runs there must not run on. */
export function cancelLost(link: Link): void {
  void send(link).catch(() => undefined)
}
