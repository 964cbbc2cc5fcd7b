/** What no honest client says, and the states of a session in which it is said. */
import { frames } from './frames.ts'
import type { Wire } from './wire.ts'

export const GIGABYTE = 0x40000000

const { int32 } = frames
export const zeros = (count: number): Buffer => Buffer.alloc(count)
/** A frame whose length field says something else than its length. */
export const lying = (type: string, length: number, body: Buffer = zeros(0)): Buffer =>
  Buffer.concat([Buffer.from(type, 'latin1'), int32(length), body])

export const sasl = (mechanism: string, body: Buffer, length = body.length): Buffer =>
  frames.password(Buffer.concat([Buffer.from(`${mechanism}\0`), int32(length), body]))
export const startup = frames.startup({ user: 'app', database: 'app' })

/** First bytes that start no session. */
export const BEFORE_STARTUP: ReadonlyArray<readonly [string, Buffer]> = [
  ['nothing but zeros', zeros(64)],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a TLS hello without a request for TLS', Buffer.from('160301020001000'.padEnd(1024, '7'), 'hex')],
  ['random bytes', Buffer.from('9f3c11d0aa7768f1b0c9e3d2'.repeat(20), 'hex')],
  ['a Query', frames.query('SELECT 1')],
  ['a Terminate', frames.terminate],
  ['a password', frames.password('app\0')],
  ['a startup packet of 1 GB', Buffer.concat([int32(GIGABYTE), int32(196608), zeros(100)])],
  ['a startup packet of 2 GB', Buffer.concat([int32(0x7fffffff), int32(196608), zeros(100)])],
  ['a startup packet of negative length', Buffer.concat([int32(-1), int32(196608), zeros(100)])],
  ['a startup packet of length 4', Buffer.concat([int32(4), int32(196608)])],
  ['a startup packet of length 0', Buffer.concat([int32(0), int32(196608)])],
  ['a startup packet of a megabyte', frames.startup({ user: 'app', database: 'd'.repeat(1024 * 1024) })],
  ['a startup packet without its end', Buffer.concat([int32(20), int32(196608), Buffer.from('user\0app\0da')])],
  ['a startup packet without a user', frames.startup({ database: 'app' })],
  ['protocol 2.0', frames.startup({ user: 'app' }, 2 << 16)],
  ['protocol 4.0', frames.startup({ user: 'app' }, 4 << 16)],
  ['a cancel request that is too short', Buffer.concat([int32(8), int32(80877102)])],
  ['a cancel request of nobody', frames.cancel(12345, Buffer.from([1, 2, 3, 4]))],
  ['a cancel request with a huge key', frames.cancel(12345, zeros(9000))],
  ['SSLRequest with a startup packet behind it', Buffer.concat([frames.sslRequest, startup])],
  ['SSLRequest with a Query behind it', Buffer.concat([frames.sslRequest, frames.query('SELECT 1')])],
  ['GSSENCRequest with a startup packet behind it', Buffer.concat([frames.gssRequest, startup])],
]

/** What a client must not say instead of its password. */
export const BEFORE_AUTHENTICATION: ReadonlyArray<readonly [string, Buffer]> = [
  ['a Query', frames.query('SELECT 1')],
  ['a Parse', frames.parse('SELECT 1')],
  ['a Sync', frames.sync],
  ['CopyData', frames.copyData('x')],
  ['a plain password', frames.password('app\0')],
  ['an empty answer', frames.password('')],
  ['an unknown mechanism', sasl('SCRAM-SHA-1', Buffer.from('n,,n=,r=abcdefgh'))],
  [
    'SCRAM-SHA-256-PLUS, which is not offered',
    sasl('SCRAM-SHA-256-PLUS', Buffer.from('p=tls-server-end-point,,n=,r=abc')),
  ],
  ['channel binding', sasl('SCRAM-SHA-256', Buffer.from('p=tls-server-end-point,,n=,r=abc'))],
  ['garbage', sasl('SCRAM-SHA-256', Buffer.from('garbage'))],
  ['a negative length inside', sasl('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefgh'), -5)],
  ['a length inside past the end', sasl('SCRAM-SHA-256', Buffer.from('n,,n=,r=abcdefgh'), 0x7fffffff)],
  ['no length inside', frames.password('SCRAM-SHA-256\0')],
  ['a mechanism without its end', frames.password('SCRAM-SHA-256')],
  ['a message of 1 GB', lying('p', GIGABYTE, zeros(1000))],
  ['a message of negative length', lying('p', -1, zeros(1000))],
  ['a message of length 3', lying('p', 3, zeros(10))],
  ['a message of a megabyte', frames.password(zeros(1024 * 1024))],
  ['an unknown type', lying('\0', 4)],
  ['another startup packet', startup],
]

/** Messages that are wrong in themselves. */
export const MALFORMED: ReadonlyArray<readonly [string, Buffer]> = [
  ['an unknown type', lying('z', 8, zeros(4))],
  ['type 0', lying('\0', 4)],
  ['type 255', lying('\xff', 4)],
  ['length 0', lying('Q', 0, zeros(20))],
  ['length 3', lying('Q', 3, zeros(20))],
  ['a negative length', lying('Q', -1, zeros(20))],
  ['the least length', lying('Q', -2147483648, zeros(20))],
  ['1 GB', lying('Q', GIGABYTE, zeros(1000))],
  ['2 GB', lying('Q', 0x7fffffff, zeros(1000))],
  ['a Sync of 1 GB', lying('S', GIGABYTE, zeros(1000))],
  ['a Bind of 2 GB', lying('B', 0x7fffffff, zeros(1000))],
  ['a password now', frames.password('app\0')],
  ['a startup packet now', startup],
  ['a Query without its end', frames.raw('Q', Buffer.from('SELECT 1'))],
  ['an empty Query', frames.raw('Q')],
  ['a Query with bytes after its end', frames.raw('Q', Buffer.from('SELECT 1\0garbage'))],
  ['a Query that is no UTF-8', frames.raw('Q', Buffer.from("SELECT '\xff\xfe'\0", 'latin1'))],
  ['an empty Parse', frames.raw('P')],
  ['a Parse without the end of its name', frames.raw('P', Buffer.from('name'))],
  ['a Parse without the end of its text', frames.raw('P', Buffer.from('\0SELECT 1'))],
  ['a Parse without its count', frames.raw('P', Buffer.from('\0SELECT 1\0'))],
  ['a Parse with too few types', frames.raw('P', Buffer.from('\0SELECT 1\0\x00\x05', 'latin1'), zeros(4))],
  ['a Parse with 65535 types', frames.raw('P', Buffer.from('\0SELECT 1\0\xff\xff', 'latin1'))],
  ['an empty Bind', frames.raw('B')],
  ['a Bind that is cut', frames.raw('B', Buffer.from('\0\0\0\0\0'))],
  ['a Bind with too many formats', frames.raw('B', Buffer.from('\0\0\xff\xff', 'latin1'), zeros(2))],
  ['a Bind with too many parameters', frames.raw('B', Buffer.from('\0\0\0\0\xff\xff', 'latin1'), zeros(2))],
  [
    'a Bind with a parameter past the end',
    frames.raw('B', Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(GIGABYTE), zeros(4)),
  ],
  ['a Bind with a length of -2', frames.raw('B', Buffer.from('\0\0\0\0\0\x01', 'latin1'), int32(-2), zeros(4))],
  ['a Bind with bytes after its end', frames.raw('B', Buffer.from('\0\0\0\0\0\0\0\0garbage'))],
  ['a Bind with a bad format', frames.raw('B', Buffer.from('\0\0\0\x01\0\x07\0\0\0\0', 'latin1'))],
  ['an empty Describe', frames.raw('D')],
  ['a Describe of X', frames.raw('D', Buffer.from('X\0'))],
  ['a Describe without its end', frames.raw('D', Buffer.from('Sname'))],
  ['an empty Execute', frames.raw('E')],
  ['an Execute without its limit', frames.raw('E', Buffer.from('\0'))],
  ['a Close of X', frames.raw('C', Buffer.from('X\0'))],
  ['a Sync with a body', frames.raw('S', zeros(4))],
  ['a Flush with a body', frames.raw('H', zeros(4))],
  ['a function call', frames.raw('F', int32(1598), Buffer.from([0, 0, 0, 0, 0, 1]))],
  ['a function call that is cut', frames.raw('F', zeros(3))],
]

/** States a session can be in, and how it gets there. */
export const STATES: ReadonlyArray<readonly [string, (wire: Wire) => Promise<void>]> = [
  ['idle', () => Promise.resolve()],
  ['in a transaction', async wire => void (await wire.run("BEGIN; UPDATE customers SET note = 'lost' WHERE id = 1"))],
  ['in a failed transaction', async wire => void (await wire.query('BEGIN; SELECT 1/0'))],
  [
    'in a batch',
    async wire => {
      wire.send(frames.parse('SELECT name FROM customers WHERE id = 1'), frames.flush)
      await wire.until('1')
    },
  ],
  [
    'in COPY',
    async wire => {
      wire.send(frames.query('COPY notes FROM STDIN'))
      await wire.until('G')
    },
  ],
  ['while a statement runs', wire => Promise.resolve(wire.send(frames.query('SELECT pg_sleep(0.05)')))],
]
