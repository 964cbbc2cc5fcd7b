/**
 * From authentication to the first ReadyForQuery. The parameters that a client is told are those of a real server with the
 * client's own settings laid on it; they are kept per user and settings, so that only the first such login needs a server.
 */
import { internalQuery } from '../../pool/internal-query.ts'
import type { Waiter } from '../../pool/waiting.ts'
import type { ServerConnection } from '../../pool/server-connection.ts'
import { NO_SETTINGS, type Settings } from '../../pool/server-state.ts'
import { refusedOption } from '../../router/options.ts'
import { ShardwayError } from '../errors/shardway-error.ts'
import { frame, parameterStatus, ready } from '../protocol/backend-messages.ts'
import { BACKEND_KEY, IDLE } from '../protocol/codes.ts'
import { lastWord } from './last-word.ts'
import type { LoggedIn } from './logged-in.ts'
import type { DatabaseContext, Welcome } from '../execute/database-context.ts'
import type { CancelKey, Environment } from '../execute/environment.ts'
import { Session } from './session.ts'
import { PATH_QUERY, readPath, settingsChange, readStartup } from '../execute/settings.ts'

export interface WelcomeCallbacks {
  readonly onSession: (session: Session) => void
  /** The connection ended; null when no session came of it. */
  readonly onClosed: (session: Session | null) => void
}

const STANDARD_STRINGS = 'standard_conforming_strings'
const MAX_WELCOMES = 1000
/** Encodings whose bytes are those of UTF-8, as far as keys go (soundness 1). */
const UTF8_NAMES: ReadonlySet<string> = new Set(['utf8', 'utf-8', 'unicode'])

export function welcome(
  environment: Environment,
  login: LoggedIn,
  id: number,
  key: CancelKey,
  { onSession, onClosed }: WelcomeCallbacks,
): void {
  const { socket } = login
  let over = false
  const refuse = (error: ShardwayError) => {
    if (over) return
    over = true
    lastWord(socket, error)
    onClosed(null)
  }
  const onClose = () => refuse(new ShardwayError('client_gone', '08006', 'client disconnected'))
  socket.on('close', onClose)
  try {
    const database = environment.database(login.database)
    if (database === null)
      throw new ShardwayError('no_such_database', '3D000', `database "${login.database}" does not exist`)
    const { settings, options } = readStartup(login.parameters)
    refuseEncoding(database, settings)
    refuseOptions(database, options)
    parametersFor(database, login.user, settings, (error, found) => {
      if (over) return
      if (error !== null) return refuse(error)
      over = true
      socket.off('close', onClose)
      const out = [...found.parameters].map(([name, value]) => parameterStatus(name, value))
      const body = Buffer.alloc(4)
      body.writeInt32BE(key.pid)
      out.push(frame(BACKEND_KEY, Buffer.concat([body, key.secret])), ready(IDLE))
      socket.write(Buffer.concat(out))
      database.stats.logins++
      const shards = database.topology.shardNames.length
      onSession(
        new Session({
          id,
          socket,
          user: login.user,
          database,
          environment,
          settings: found.settings,
          options,
          searchPath: found.searchPath,
          escapes: found.parameters.get(STANDARD_STRINGS) === 'off',
          key,
          homeShard: id % shards,
          tls: login.tls,
          connectedAtMs: Date.now(),
          // As it is: a closure of here would keep all that was needed for the login.
          onClosed,
        }),
      )
    })
  } catch (error) {
    if (!(error instanceof ShardwayError)) throw error
    refuse(error)
  }
}

function refuseOptions({ topology }: DatabaseContext, options: ReadonlyMap<string, string>): void {
  for (const [name, value] of options) {
    const refused = refusedOption(topology.shardNames, name, value)
    if (refused !== null) throw new ShardwayError('bad_startup', '22023', refused.message, { hint: refused.hint })
  }
}

function refuseEncoding(database: DatabaseContext, settings: Settings): void {
  const encoding = settings.values.get('client_encoding')
  if (encoding === undefined || database.topology.shardNames.length === 1) return
  if (UTF8_NAMES.has(encoding.toLowerCase().replaceAll(/['"]/g, ''))) return
  throw new ShardwayError(
    'client_encoding',
    '0A000',
    `client_encoding ${encoding} is not supported on a sharded database`,
    {
      hint: 'Use client_encoding=UTF8.',
    },
  )
}

const NOTHING: Welcome = { settings: NO_SETTINGS, parameters: new Map(), searchPath: [] }

/** Texts are read, and keys hashed, as the server would with this setting. */
function refusedParameters(database: DatabaseContext, { parameters }: Welcome): ShardwayError | null {
  if (database.topology.shardNames.length === 1 || parameters.get(STANDARD_STRINGS) !== 'off') return null
  return new ShardwayError(
    'standard_strings',
    '0A000',
    'standard_conforming_strings = off is not supported on a sharded database',
    { hint: 'Leave it on; write E-prefixed strings where backslashes are meant as escapes.' },
  )
}

type Callback = (error: ShardwayError | null, found: Welcome) => void

function parametersFor(database: DatabaseContext, user: string, settings: Settings, callback: Callback): void {
  const name = `${user}\0${settings.signature}`
  const known = database.welcomes.get(name)
  if (known !== undefined) return callback(refusedParameters(database, known), known)
  const pool = database.primaryPool(database.defaultShard, user)
  const ask = (server: ServerConnection) => {
    const change = settingsChange(server.state.settings, settings)
    internalQuery(server, `${change === '' ? '' : `${change}; `}SELECT ${PATH_QUERY}`, (error, rows) => {
      if (error !== null) {
        server.destroy('settings could not be laid on the server')
        return callback(error, NOTHING)
      }
      server.state.settings = settings
      const found: Welcome = {
        settings,
        parameters: new Map(server.identity.parameters),
        searchPath: readPath(rows.at(-1)?.[0] ?? null),
      }
      if (database.welcomes.size >= MAX_WELCOMES) database.welcomes.clear()
      database.welcomes.set(name, found)
      pool.release(server)
      callback(refusedParameters(database, found), found)
    })
  }
  const waiter: Waiter = {
    onServer: ask,
    onServerUnavailable: error => callback(error, NOTHING),
    onLongWait: () => undefined,
  }
  const server = pool.acquire(waiter)
  if (server !== null) ask(server)
}
