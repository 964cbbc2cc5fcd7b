/** Every message that a client can send, and the states of a session that it can be sent in. */
import { frames } from './frames.ts'
import type { Message } from './messages.ts'
import type { Wire } from './wire.ts'

const { parse, bind, execute, query, sync, flush } = frames

/** lower(text), called by the OID that it has in every Postgres. */
const LOWER_OID = 870
export const functionCall = (argument: string, oid = LOWER_OID): Buffer =>
  frames.raw(
    'F',
    frames.int32(oid),
    Buffer.from([0, 0, 0, 1]),
    frames.int32(argument.length),
    Buffer.from(argument),
    Buffer.from([0, 0]),
  )

export const FRONTEND_MESSAGES: ReadonlyArray<readonly [string, Buffer]> = [
  ['Query', query("SELECT 'said'")],
  ['Query, empty', query('')],
  ['Query of several', query("SELECT 1; SELECT 'two'")],
  ['Query that fails', query('SELECT 1/0')],
  ['Parse', parse('SELECT 3')],
  ['Parse that fails', parse('SELEKT')],
  ['Parse, named', parse('SELECT 3', 'named')],
  ['Bind', bind()],
  ['Bind to no statement', bind({ statement: 'nobody' })],
  ['Describe of a statement', frames.describeStatement()],
  ['Describe of no statement', frames.describeStatement('nobody')],
  ['Describe of a portal', frames.describePortal()],
  ['Execute', execute()],
  ['Execute of no portal', execute('nobody')],
  ['Close of a statement', frames.closeStatement()],
  ['Close of a portal', frames.closePortal()],
  ['Flush', flush],
  ['Sync', sync],
  ['FunctionCall', functionCall('ABC')],
  ['FunctionCall of no function', functionCall('ABC', 1)],
  ['CopyData', frames.copyData('5001\tcopied\n')],
  ['CopyDone', frames.copyDone],
  ['CopyFail', frames.copyFail('no more')],
  ['Terminate', frames.terminate],
  ['a password', frames.password('app\0')],
]

export interface SessionState {
  readonly name: string
  enter(wire: Wire): Promise<Message[]>
  /** Sent behind the message: what leads out of the state. */
  readonly leave: Buffer
}

const said =
  (type: string, ...parts: readonly Buffer[]) =>
  async (wire: Wire): Promise<Message[]> => {
    wire.send(...parts)
    return await wire.until(type)
  }

const out = frames.copyFail('out')

/** Each is left by what follows: whatever the message did, a Sync and a ROLLBACK make the session idle again. */
export const SESSION_STATES: readonly SessionState[] = [
  { name: 'idle', enter: () => Promise.resolve([]), leave: sync },
  { name: 'in a transaction', enter: said('Z', query('BEGIN')), leave: sync },
  {
    name: 'in a transaction that has run something',
    enter: said('Z', query('BEGIN; SELECT name FROM countries ORDER BY 1 LIMIT 1')),
    leave: sync,
  },
  { name: 'in a failed transaction', enter: said('Z', query('BEGIN; SELECT 1/0')), leave: sync },
  {
    name: 'in a transaction that failed before it ran anything',
    enter: async wire => [...(await said('Z', query('BEGIN'))(wire)), ...(await said('Z', query('SELEKT'))(wire))],
    leave: sync,
  },
  { name: 'in COPY IN', enter: said('G', query('COPY notes FROM STDIN')), leave: Buffer.concat([out, sync]) },
  {
    name: 'in COPY IN in a batch',
    enter: said('G', parse('COPY notes FROM STDIN'), bind(), execute(), flush),
    leave: Buffer.concat([out, sync]),
  },
  {
    name: 'in COPY OUT',
    enter: said('H', query('COPY (SELECT 7 FROM generate_series(1, 20)) TO STDOUT')),
    leave: sync,
  },
  { name: 'behind a Parse', enter: said('1', parse('SELECT 8'), flush), leave: sync },
  { name: 'behind a Bind', enter: said('2', parse('SELECT 8'), bind(), flush), leave: sync },
  {
    name: 'behind an Execute with a limit',
    enter: said('s', parse('SELECT generate_series(1, 5)'), bind(), execute('', 2), flush),
    leave: sync,
  },
  { name: 'after an error', enter: said('E', parse('SELECT nonsense'), flush), leave: sync },
  {
    name: 'after an error of its own',
    enter: said('E', bind({ statement: 'nobody' }), flush),
    leave: sync,
  },
]
