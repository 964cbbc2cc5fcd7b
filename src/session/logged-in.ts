import type { Socket } from 'node:net'

/** What is known of a client that was let in. */
export interface LoggedIn {
  readonly socket: Socket
  readonly user: string
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
  readonly tls: string
  /** Version spoken, as in the startup packet. */
  readonly protocol: number
  /** Bytes that came behind the login; the next 'data' continues them. */
  readonly rest: Buffer
}
