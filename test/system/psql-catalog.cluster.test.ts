/** psql's commands about the catalog: what it shows through the proxy is what the default shard shows of itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findBinaries } from '../../src/cluster/binaries.ts'
import { findProgram, runProgram } from '../support/programs.ts'
import { SAMPLE_SCHEMA } from '../support/sample-schema.ts'
import { startSystem, type System } from '../support/system.ts'
import type { WireOptions } from '../support/wire.ts'

const { bin } = findBinaries()
const psql = findProgram('psql', bin)

const MORE = `
CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := NEW.body || '!'; RETURN NEW; END $$;
CREATE TRIGGER noting BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION noted();
CREATE SEQUENCE numbers; CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
COMMENT ON TABLE notes IS 'it''s for notes';
`

const COMMANDS = [
  ...[
    '\\d',
    '\\d+',
    '\\d customers',
    '\\d+ customers',
    '\\d orders',
    '\\d notes',
    '\\d+ rich',
    '\\d cust*',
    '\\d mood',
  ],
  ...[
    '\\d customers_pkey',
    '\\d numbers',
    '\\d+ parts',
    '\\dS pg_class',
    '\\d *.notes',
    '\\dtvs',
    '\\dt',
    '\\dt+',
    '\\dt *.*',
  ],
  ...[
    '\\dt no_such',
    '\\di+',
    '\\ds+',
    '\\dv+',
    '\\dm',
    '\\dE',
    '\\dP+',
    '\\dn',
    '\\dn+',
    '\\du',
    '\\du+',
    '\\dg',
    '\\drds',
  ],
  ...['\\l', '\\x \\\\ \\l', '\\dx', '\\dx+', '\\df', '\\df+ doubled', '\\df+ pg_catalog.abs', '\\dft', '\\da count'],
  ...[
    '\\dT',
    '\\dT+ mood',
    '\\dD',
    '\\do =',
    '\\dC',
    '\\dd',
    '\\ddp',
    '\\dp',
    '\\z customers',
    '\\db',
    '\\dc',
    '\\dL',
    '\\dy',
  ],
  ...['\\dRp', '\\dRs', '\\des', '\\deu', '\\dF', '\\dO utf8', '\\dA', '\\dX', '\\dl', '\\sf doubled', '\\sf+ noted'],
  ...['\\sf pg_catalog.abs(integer)', '\\sf no_such', '\\sv rich', '\\sv+ rich', '\\encoding', '\\dconfig work_mem'],
]

describe.skipIf(psql === null).each([1, 2])('psql on %i shards', shards => {
  let system: System
  let direct: WireOptions
  beforeAll(async () => {
    system = await startSystem({ workers: 2, shards, replicas: 0, oracle: false, schema: `${SAMPLE_SCHEMA}${MORE}` })
    const { server } = system.cluster.shards[0]!.primary
    direct = system.target({ host: server.host, port: server.port })
    const wire = await system.connect()
    for (let id = 1; id <= 5; id++) await wire.run(`INSERT INTO customers (id, name) VALUES (${id}, 'c${id}')`)
    await wire.end()
  })
  afterAll(async () => await system.stop())

  async function both(args: readonly string[], input = ''): Promise<void> {
    const got = await runProgram(psql ?? '', system.target(), ['-X', ...args], input)
    expect(got).toEqual(await runProgram(psql ?? '', direct, ['-X', ...args], input))
  }

  it.each(COMMANDS)('%s', async command => {
    await both([], `${command}\n`)
  })

  it('all of them on one connection, and in a block', { timeout: 120_000 }, async () => {
    await both(['-a'], `${COMMANDS.join('\n')}\n`)
    await both(['-a'], `BEGIN;\n${COMMANDS.join('\n')}\nROLLBACK;\n`)
  })

  it('the statements behind them, shown by -E', async () => {
    await both(['-E', '-c', '\\d customers'])
    await both(['-E', '-c', '\\df+ doubled'])
  })
})
