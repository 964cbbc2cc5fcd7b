import { before, type Exchange, extended, step } from './exchange.ts'
import { frames } from './frames.ts'

const { parse, bind, execute, sync, flush, query } = frames

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
