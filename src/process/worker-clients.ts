/** The clients of a worker: from the socket that the control process hands over to the session's end. */
import type { Socket } from 'node:net'
import { errorOf } from '../errors/codes.ts'
import type { ShardwayError } from '../errors/shardway-error.ts'
import type { DatabaseContext } from '../execute/database-context.ts'
import type { CancelKey, Environment } from '../execute/environment.ts'
import { isConsole } from '../auth/users.ts'
import { ClientLogin } from '../session/client-login.ts'
import { lastWord } from '../session/last-word.ts'
import type { LoggedIn } from '../session/logged-in.ts'
import { continueWith } from '../session/client-tls.ts'
import { secretBytes } from '../session/negotiate.ts'
import { ConsoleSession } from '../session/console-session.ts'
import type { Session } from '../session/session.ts'
import { welcome } from '../session/welcome.ts'
import { isSecret, newCancelKey } from './cancel-keys.ts'
import type { Refusal, ToControl } from './messages.ts'

export interface WorkerClientsOptions {
  readonly index: number
  readonly environment: Environment
  readonly send: (message: ToControl) => void
  /** A session ended. */
  readonly onGone: () => void
}

interface Entering {
  readonly login: LoggedIn
  readonly onClose: () => void
}

export class WorkerClients {
  readonly #options: WorkerClientsOptions
  readonly sessions = new Map<number, Session>()
  readonly consoles = new Map<number, ConsoleSession>()
  readonly #byKey = new Map<number, Session>()
  /** Logged in, and the control process was asked whether they may enter. */
  readonly #entering = new Map<number, Entering>()
  loginClients = 0

  constructor(options: WorkerClientsOptions) {
    this.#options = options
  }

  /** The client as it is taken off every list, once. */
  #leave(id: number): void {
    this.#options.send({ type: 'client-closed', id })
  }

  add(socket: Socket, id: number, over: boolean): void {
    socket.setNoDelay(true)
    this.loginClients++
    new ClientLogin({
      socket,
      environment: this.#options.environment,
      over,
      onLoggedIn: login => this.#loggedIn(login, id),
      onClosed: () => {
        this.loginClients--
        this.#leave(id)
      },
    })
    socket.resume()
  }

  #loggedIn(login: LoggedIn, id: number): void {
    const { environment, send } = this.#options
    if (isConsole(login.database)) {
      this.loginClients--
      const console = new ConsoleSession(login, environment, () => {
        this.consoles.delete(id)
        this.#leave(id)
      })
      this.consoles.set(id, console)
      continueWith(console.socket, login.rest)
      return
    }
    const onClose = () => {
      if (!this.#entering.delete(id)) return
      this.loginClients--
      this.#leave(id)
    }
    login.socket.on('close', onClose)
    this.#entering.set(id, { login, onClose })
    send({ type: 'enter', id, database: login.database, user: login.user })
  }

  /** The control process's word on a client that wants to enter. */
  entered(id: number, refusal: Refusal | null): void {
    const entering = this.#entering.get(id)
    if (entering === undefined) return
    const { login, onClose } = entering
    if (refusal !== null) {
      lastWord(login.socket, refusalError(refusal, login))
      return
    }
    this.#entering.delete(id)
    login.socket.off('close', onClose)
    this.#welcome(login, id)
  }

  #welcome(login: LoggedIn, id: number): void {
    const { environment } = this.#options
    const key = this.newCancelKey(secretBytes(login.protocol))
    welcome(environment, login, id, key, {
      onSession: session => {
        this.loginClients--
        this.sessions.set(id, session)
        session.database.users.came(session.user)
        this.#byKey.set(key.pid, session)
        continueWith(session.socket, login.rest)
        if (environment.draining) session.drain()
      },
      onClosed: this.#whenClosed(id, key.pid),
    })
  }

  /** Apart from what the login needed, which would live as long as the session. */
  #whenClosed(id: number, pid: number): (session: Session | null) => void {
    return session => {
      if (session === null) this.loginClients--
      else session.database.users.went(session.user)
      this.sessions.delete(id)
      this.#byKey.delete(pid)
      this.#leave(id)
      this.#options.onGone()
    }
  }

  newCancelKey(secretBytes: number): CancelKey {
    return newCancelKey(this.#options.index, secretBytes, pid => this.#byKey.has(pid))
  }

  /** False when the key is of none of the clients here. */
  cancel(pid: number, secret: string): boolean {
    const session = this.#byKey.get(pid)
    if (session === undefined || !isSecret(Buffer.from(secret, 'hex'), session.key.secret)) return false
    session.executor.cancel()
    return true
  }

  /** Ends a client of any kind. */
  kill(id: number): void {
    this.sessions.get(id)?.fatal(errorOf('killed'))
    this.consoles.get(id)?.end(errorOf('killed'))
  }

  /** Ends every client of a database; null: of all. */
  killAll(database: string | null): void {
    for (const session of [...this.sessions.values()]) {
      if (database === null || session.database.name === database) session.fatal(errorOf('killed'))
    }
  }

  /** Ends the sessions of a database that is no more. */
  endAll(database: DatabaseContext, error: ShardwayError): void {
    for (const session of [...this.sessions.values()]) if (session.database === database) session.fatal(error)
  }

  drain(): void {
    for (const session of [...this.sessions.values()]) session.drain()
  }

  tick(now: number): void {
    for (const session of [...this.sessions.values()]) session.tick(now)
  }
}

function refusalError(refusal: Refusal, { database, user }: LoggedIn): ShardwayError {
  switch (refusal) {
    case 'disabled':
      return errorOf('database_disabled', { database })
    case 'shutting_down':
      return errorOf('shutting_down')
    default:
      return errorOf('too_many_entered', { limit: refusal, database, user })
  }
}
