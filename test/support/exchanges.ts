/** What a client may say, message by message. Each leaves the session idle and the tables as they were: it can be run again. */
import { binary, frames, oids, type Parameter } from './frames.ts'

export interface Step {
  readonly bytes: Buffer
  /** What the client waits for before the next step: the n-th message of a type. */
  readonly type: string
  readonly count: number
}

export interface Exchange {
  readonly name: string
  readonly steps: readonly Step[]
}

const { parse, bind, execute, sync, flush, query } = frames

/** Frames, answered by as many ReadyForQuery as there are Syncs and simple queries among them. */
function step(...parts: readonly Buffer[]): Step {
  const bytes = Buffer.concat(parts)
  const count = parts.filter(part => part[0] === 0x53 || part[0] === 0x51).length
  return { bytes, type: 'Z', count }
}

/** Frames, and the type of the last message that they bring before any ReadyForQuery. */
function before(type: string, ...parts: readonly Buffer[]): Step {
  return { bytes: Buffer.concat(parts), type, count: 1 }
}

/** Parse, Bind, Describe and Execute of the unnamed statement. */
function run(sql: string, parameters: readonly Parameter[] = []): Buffer {
  return Buffer.concat([parse(sql), bind({ parameters }), frames.describePortal(), execute()])
}

const NAME = 'SELECT name FROM customers WHERE id = $1'
const ORDERS = 'SELECT id, amount FROM orders WHERE customer_id = $1 ORDER BY id'
const ONE = '1'
const TWO = '2'

const simple = (name: string, ...texts: readonly string[]): Exchange => ({
  name,
  steps: texts.map(text => step(query(text))),
})
const extended = (name: string, ...steps: readonly Step[]): Exchange => ({ name, steps })

export const SIMPLE_EXCHANGES: readonly Exchange[] = [
  simple('empty query', '', ' ', ';', ' ; ; ', '-- nothing', '/* nothing */'),
  simple('one statement', `SELECT name FROM customers WHERE id = 1`, 'SELECT 1 AS one, NULL::text, $$x$$'),
  simple('several statements', 'SELECT 1; SELECT 2 AS b;; SELECT 3', 'SELECT 1; '),
  simple(
    'several statements on one key',
    "SELECT note FROM customers WHERE id = 1; UPDATE customers SET note = 'n' WHERE id = 1; SELECT note FROM customers WHERE id = 1; UPDATE customers SET note = NULL WHERE id = 1",
  ),
  simple(
    'several statements, an error in the middle',
    "UPDATE customers SET note = 'lost' WHERE id = 1; SELECT 1/0; SELECT 3",
    'SELECT note FROM customers WHERE id = 1',
  ),
  simple(
    'several statements, a syntax error at the end: none runs',
    "UPDATE customers SET note = 'lost' WHERE id = 1; SELECT 1 +",
    'SELECT note FROM customers WHERE id = 1',
  ),
  simple(
    'transaction control among several statements',
    'BEGIN; SELECT 1; COMMIT; SELECT 2',
    "BEGIN; UPDATE customers SET note = 'lost' WHERE id = 1; ROLLBACK; SELECT note FROM customers WHERE id = 1",
  ),
  simple(
    'transaction left open by several statements',
    'SELECT 1; BEGIN; SELECT name FROM customers WHERE id = 1',
    'SELECT 2',
    'COMMIT; SELECT 3',
  ),
  simple(
    'transaction',
    'BEGIN',
    'SELECT name FROM customers WHERE id = 1 FOR UPDATE',
    'SAVEPOINT a',
    'SELECT 1/0',
    'SELECT 1',
    '',
    'ROLLBACK TO a',
    'SELECT 1',
    'RELEASE a',
    'COMMIT',
  ),
  simple('failed transaction', 'BEGIN', 'SELECT nonsense', 'SELECT 1', '', 'SELECT 1; SELECT 2', 'COMMIT', 'SELECT 1'),
  simple(
    'warnings',
    'COMMIT',
    'ROLLBACK',
    'BEGIN',
    'BEGIN',
    'COMMIT',
    'SET LOCAL work_mem = 100',
    'SAVEPOINT a',
    'ROLLBACK TO a',
    'COMMIT AND CHAIN',
    'END',
  ),
  simple(
    'chained transactions',
    'BEGIN',
    "UPDATE customers SET note = 'c' WHERE id = 1",
    'COMMIT AND CHAIN',
    'UPDATE customers SET note = NULL WHERE id = 1',
    'COMMIT',
    'BEGIN READ ONLY',
    'ROLLBACK AND CHAIN',
    'UPDATE customers SET note = NULL WHERE id = 1',
    'ROLLBACK',
  ),
  simple(
    'errors with positions',
    'SELECT * FROM no_such_table',
    "SELECT 'ä', nonsense",
    'SELECT * FROM customers WHERE id = 1 AND idd = 1',
    'SELECT * FROM customers WHERE id = 1 AND nonsense',
    'INSERT INTO customers (id, nonsense) VALUES (1, 2)',
    'SELEKT',
    "SELECT '",
    'SELECT 1::nonsense',
  ),
  simple(
    'errors with fields',
    "INSERT INTO customers (id, name) VALUES (1, 'again')",
    'INSERT INTO customers (id) VALUES (1000)',
    "INSERT INTO customers (id, name, balance) VALUES (1000, 'x', -5000)",
    'INSERT INTO orders VALUES (1000, 1, 1)',
    "UPDATE customers SET feeling = 'grim' WHERE id = 1",
    "SELECT 'abc'::int",
  ),
  simple(
    'settings',
    "SET TimeZone = 'Europe/Berlin'",
    'SHOW TimeZone',
    "SELECT timestamptz '2020-06-01 12:00+00'",
    "SET extra_float_digits = 0; SET application_name = 'x\"y'",
    'SHOW application_name',
    'RESET TimeZone',
    'SHOW TimeZone',
    'SET nonsense = 1',
    "SET TimeZone = 'nowhere'",
    'RESET ALL',
    'SHOW extra_float_digits',
  ),
  simple(
    'settings and transactions',
    'BEGIN',
    "SET TimeZone = 'Asia/Tokyo'",
    'SHOW TimeZone',
    'ROLLBACK',
    'SHOW TimeZone',
    'BEGIN',
    "SET LOCAL TimeZone = 'Asia/Tokyo'",
    'COMMIT',
    'SHOW TimeZone',
    "SET DateStyle = 'German'",
    "SELECT date '2020-02-01'",
    'DISCARD ALL',
    'SHOW DateStyle',
  ),
  simple(
    'COPY out',
    'COPY (SELECT id, name FROM customers WHERE id = 1) TO STDOUT',
    'COPY notes TO STDOUT (FORMAT csv, HEADER)',
    'COPY (SELECT * FROM orders WHERE customer_id = 1 ORDER BY id) TO STDOUT (FORMAT binary)',
    'COPY (SELECT 1/0) TO STDOUT',
    'COPY notes TO STDOUT; SELECT 1',
  ),
  simple(
    'cursor in a transaction',
    'BEGIN',
    'DECLARE c CURSOR FOR SELECT id FROM orders WHERE customer_id = 1 ORDER BY id',
    'FETCH 2 FROM c',
    'MOVE 1 FROM c',
    'FETCH ALL FROM c',
    'CLOSE c',
    'FETCH 1 FROM c',
    'ROLLBACK',
  ),
]

export const EXTENDED_EXCHANGES: readonly Exchange[] = [
  extended('Sync and Flush alone', step(sync), step(flush, sync), step(flush, flush, sync, sync)),
  extended('one batch', step(run(NAME, [ONE]), sync), step(parse('SELECT 1'), sync)),
  extended(
    'parameters in text and binary',
    step(run('SELECT $1::int, $2::text, $3::bytea', [binary.int4(7), 'text', Buffer.from([0, 255])]), sync),
    step(parse(NAME, '', [oids.int8]), bind({ parameters: [binary.int8(1)], results: [1] }), execute(), sync),
    step(parse(NAME, '', [oids.int4]), bind({ parameters: [binary.int4(2)], results: [0] }), execute(), sync),
    step(run('SELECT $1::text IS NULL AS n', [null]), sync),
  ),
  extended('several executions before one Sync', step(run(NAME, [ONE]), run(ORDERS, [ONE]), run('SELECT 1'), sync)),
  extended('several Syncs at once', step(run(NAME, [ONE]), sync, run(ORDERS, [ONE]), sync, run('SELECT 1'), sync)),
  extended(
    'several Syncs at once, keys of both shards',
    step(
      run(NAME, [ONE]),
      sync,
      run(NAME, [TWO]),
      sync,
      run(NAME, ['3']),
      sync,
      run(NAME, ['4']),
      sync,
      run(NAME, ['5']),
      sync,
      run(NAME, ['6']),
      sync,
    ),
  ),
  extended(
    'simple queries and batches at once',
    step(
      query('SELECT 1'),
      run(NAME, [TWO]),
      sync,
      query('SELECT name FROM customers WHERE id = 3'),
      query(''),
      run(NAME, [ONE]),
      sync,
    ),
  ),
  extended(
    'writes and reads at once',
    step(
      run("UPDATE customers SET note = 'p' WHERE id = $1", [ONE]),
      sync,
      run('SELECT note FROM customers WHERE id = $1', [ONE]),
      sync,
      run('UPDATE customers SET note = NULL WHERE id = $1 RETURNING note', [ONE]),
      sync,
    ),
  ),
  extended(
    'an error ends a batch',
    step(run(NAME, [ONE]), run('SELECT nonsense'), run(NAME, [ONE]), sync),
    step(run(NAME, [ONE]), sync),
  ),
  extended(
    'an error ends one batch of several',
    step(run(NAME, [ONE]), sync, run('SELECT 1/0'), run('SELECT 2'), sync, run(NAME, [TWO]), sync),
  ),
  extended(
    'a batch is one transaction',
    step(run("UPDATE customers SET note = 'lost' WHERE id = $1", [ONE]), run('SELECT 1/0'), sync),
    step(run('SELECT note FROM customers WHERE id = $1', [ONE]), sync),
  ),
  extended(
    'an error in Bind',
    step(parse(NAME), bind({ parameters: ['abc'] }), execute(), sync),
    step(parse(NAME), bind({ parameters: [] }), execute(), sync),
    step(parse('SELECT $1::int'), bind({ parameters: [Buffer.from([1, 2, 3])] }), execute(), sync),
    step(parse('SELECT 1, 2'), bind({ results: [0, 1, 1] }), execute(), sync),
  ),
  extended(
    'Flush brings answers before Sync',
    before('1', parse(NAME), flush),
    before('T', frames.describeStatement(), flush),
    before('2', bind({ parameters: [ONE] }), flush),
    before('C', execute(), flush),
    step(sync),
  ),
  extended(
    'Flush, then an error',
    before('1', parse('SELECT 1/0'), flush),
    before('E', bind(), execute(), flush),
    step(execute(), execute(), sync),
  ),
  extended(
    'named statement',
    step(parse(NAME, 'named'), sync),
    step(bind({ statement: 'named', parameters: [ONE] }), execute(), sync),
    step(
      bind({ statement: 'named', parameters: [TWO] }),
      execute(),
      sync,
      bind({ statement: 'named', parameters: [ONE] }),
      execute(),
      sync,
    ),
    step(frames.describeStatement('named'), sync),
    step(frames.closeStatement('named'), sync),
    step(bind({ statement: 'named', parameters: [ONE] }), execute(), sync),
  ),
  extended(
    'named statement made twice',
    step(parse(NAME, 'twice'), parse('SELECT 1', 'twice'), sync),
    step(bind({ statement: 'twice', parameters: [ONE] }), execute(), sync),
    step(frames.closeStatement('twice'), parse('SELECT 1', 'twice'), bind({ statement: 'twice' }), execute(), sync),
    step(frames.closeStatement('twice'), sync),
  ),
  extended(
    'named statement that fails to parse',
    step(parse('SELECT nonsense', 'bad'), sync),
    step(bind({ statement: 'bad' }), sync),
    step(parse('SELECT 1', 'bad'), bind({ statement: 'bad' }), execute(), frames.closeStatement('bad'), sync),
  ),
  extended(
    'statement made in a transaction that is rolled back',
    step(query('BEGIN')),
    step(parse(NAME, 'kept'), sync),
    step(query('ROLLBACK')),
    step(bind({ statement: 'kept', parameters: [ONE] }), execute(), sync),
    step(frames.closeStatement('kept'), sync),
  ),
  extended(
    'statements are gone',
    step(parse(NAME, 'gone'), sync),
    step(query('DEALLOCATE ALL')),
    step(bind({ statement: 'gone', parameters: [ONE] }), sync),
    step(parse(NAME, 'gone'), sync),
    step(query('DISCARD ALL')),
    step(bind({ statement: 'gone', parameters: [ONE] }), sync),
  ),
  extended(
    'DEALLOCATE of a protocol-level statement',
    step(parse(NAME, 'a1'), sync),
    step(query('DEALLOCATE a1')),
    step(frames.describeStatement('a1'), sync),
    step(query('DEALLOCATE a1')),
  ),
  extended(
    'unknown names',
    step(frames.describeStatement('nobody'), sync),
    step(frames.describePortal('nobody'), sync),
    step(bind({ statement: 'nobody' }), sync),
    step(execute('nobody'), sync),
    step(frames.closeStatement('nobody'), frames.closePortal('nobody'), sync),
  ),
  extended(
    'Describe alone',
    step(parse(ORDERS), frames.describeStatement(), sync),
    step(parse('INSERT INTO customers (id, name) VALUES ($1, $2)'), frames.describeStatement(), sync),
    step(parse(''), frames.describeStatement(), bind(), frames.describePortal(), execute(), sync),
  ),
  extended(
    'portal with row limits',
    step(parse(ORDERS), bind({ parameters: [ONE] }), execute('', 2), execute('', 2), execute('', 2), sync),
    step(parse(ORDERS), bind({ parameters: [ONE] }), execute('', 1), sync),
    step(execute(), sync),
  ),
  extended(
    'named portals in a transaction',
    step(query('BEGIN')),
    step(
      parse(ORDERS, 'orders'),
      bind({ portal: 'a', statement: 'orders', parameters: [ONE] }),
      bind({ portal: 'b', statement: 'orders', parameters: [ONE] }),
      execute('a', 1),
      sync,
    ),
    step(execute('b', 2), execute('a', 1), sync),
    step(bind({ portal: 'a', statement: 'orders', parameters: [ONE] }), sync),
    step(query('ROLLBACK')),
    step(frames.closeStatement('orders'), sync),
  ),
  extended(
    'portals end with their transaction',
    step(query('BEGIN')),
    step(parse(ORDERS), bind({ portal: 'p', parameters: [ONE] }), execute('p', 1), sync),
    step(query('COMMIT')),
    step(execute('p', 1), sync),
  ),
  extended(
    'Close of a portal',
    step(query('BEGIN')),
    step(
      parse(ORDERS),
      bind({ portal: 'p', parameters: [ONE] }),
      execute('p', 1),
      frames.closePortal('p'),
      execute('p', 1),
      sync,
    ),
    step(query('ROLLBACK')),
  ),
  extended(
    'transaction control',
    step(run('BEGIN'), sync),
    step(run(NAME, [ONE]), sync),
    step(run('SELECT 1/0'), sync),
    step(run(NAME, [ONE]), sync),
    step(run('ROLLBACK'), sync),
  ),
  extended(
    'transaction control in one batch',
    step(run('BEGIN'), run(NAME, [ONE]), run('COMMIT'), sync),
    step(
      run('BEGIN'),
      sync,
      run("UPDATE customers SET note = 'lost' WHERE id = $1", [ONE]),
      sync,
      run('ROLLBACK'),
      sync,
      run('SELECT note FROM customers WHERE id = $1', [ONE]),
      sync,
    ),
  ),
  extended('several commands in a Parse', step(parse('SELECT 1; SELECT 2'), sync)),
  extended(
    'settings',
    step(run("SET TimeZone = 'Asia/Tokyo'"), sync),
    step(run("SELECT timestamptz '2020-06-01 12:00+00'"), sync),
    step(run('RESET TimeZone'), sync),
  ),
  extended(
    'messages of COPY outside of COPY',
    step(frames.copyData('x'), frames.copyDone, frames.copyFail('x'), sync),
    step(query('SELECT 1')),
  ),
]

const ROWS = Buffer.concat([frames.copyData('1001\tcopied\n1002\t'), frames.copyData('\\N\n')])
const CLEAN = step(query('DELETE FROM notes WHERE id > 1000'))
const COPY = 'COPY notes FROM STDIN'

/** COPY into a table that lives on the default shard only. */
export const COPY_EXCHANGES: readonly Exchange[] = [
  extended('COPY in', before('G', query(COPY)), before('Z', ROWS, frames.copyDone), CLEAN),
  extended('COPY in, without waiting', before('Z', query(COPY), ROWS, frames.copyDone), CLEAN),
  extended(
    'COPY in, csv',
    before(
      'Z',
      query('COPY notes (id, body) FROM STDIN (FORMAT csv, HEADER)'),
      frames.copyData('id,body\n1001,"a,b"\n'),
      frames.copyDone,
    ),
    CLEAN,
  ),
  extended('CopyFail', before('G', query(COPY)), before('Z', ROWS, frames.copyFail('no more')), CLEAN),
  extended(
    'an error in a row',
    before('G', query(COPY)),
    before('Z', ROWS, frames.copyData('abc\tx\n'), frames.copyData('1003\ty\n'), frames.copyDone),
    CLEAN,
  ),
  extended(
    'an error in a row, without waiting',
    before('Z', query(COPY), frames.copyData('abc\tx\n'), ROWS, ROWS, frames.copyDone),
    CLEAN,
    step(query('SELECT 1')),
  ),
  extended('a duplicate key', before('Z', query(COPY), frames.copyData('1\tx\n'), frames.copyDone), CLEAN),
  extended(
    'an error before the first row',
    before('Z', query('COPY no_such_table FROM STDIN'), ROWS, frames.copyDone),
    step(query('SELECT 1')),
  ),
  extended(
    'COPY in a batch',
    before('G', parse(COPY), bind(), execute(), flush),
    step(ROWS, frames.copyDone, sync),
    CLEAN,
  ),
  extended(
    'COPY in a batch, an error, then more messages',
    before('G', parse(COPY), bind(), execute(), flush),
    step(frames.copyData('abc\n'), ROWS, frames.copyDone, execute(), sync),
    CLEAN,
  ),
  extended(
    'Flush and Sync in the midst of COPY',
    before('G', query(COPY)),
    before('Z', ROWS, flush, sync, frames.copyData('1004\tz\n'), frames.copyDone),
    CLEAN,
  ),
  extended(
    'COPY among several statements',
    before('G', query(`SELECT 1; ${COPY}; SELECT 2`)),
    before('Z', ROWS, frames.copyDone),
    CLEAN,
  ),
  extended(
    'COPY in a transaction',
    step(query('BEGIN')),
    before('G', query(COPY)),
    before('Z', ROWS, frames.copyDone),
    step(query('ROLLBACK')),
    step(query('SELECT count(*) FROM notes')),
  ),
]

/** What needs a database of one shard in this release. */
export const ONE_SHARD_EXCHANGES: readonly Exchange[] = [
  simple(
    'SQL-level PREPARE',
    'PREPARE q (bigint) AS SELECT name FROM customers WHERE id = $1',
    'EXECUTE q (1)',
    'EXECUTE q (NULL)',
    'EXECUTE q',
    'PREPARE q AS SELECT 1',
    'DEALLOCATE q',
    'EXECUTE q (1)',
    'DEALLOCATE q',
  ),
]
