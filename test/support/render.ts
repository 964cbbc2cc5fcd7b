/** The ways a client can send a statement. */
import { createHash } from 'node:crypto'
import { binary, frames, oids, type Parameter } from './frames.ts'
import type { Random } from './random.ts'
import type { Statement, Value } from './statements.ts'

/** One of the ways to write a value down in SQL. */
export function literal(random: Random, { type, value }: Value): string {
  if (value === null) return 'NULL'
  const quoted = `'${value.replaceAll("'", "''")}'`
  switch (type) {
    case 'int2':
    case 'int4':
    case 'int8':
      return random.pick([value, value, value, quoted, `(${value})`, `${quoted}::bigint`, `CAST(${value} AS bigint)`])
    case 'numeric':
      return random.pick([value, quoted])
    case 'uuid':
      return random.pick([quoted, quoted.toUpperCase(), `'{${value}}'`, `${quoted}::uuid`])
    case 'text':
      return random.pick([
        quoted,
        quoted,
        `${quoted}::text`,
        `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
        value.includes('$') ? quoted : `$q$${value}$q$`,
      ])
  }
}

export type Mode = 'simple' | 'unnamed' | 'described' | 'named'
export const MODES: readonly Mode[] = ['simple', 'unnamed', 'described', 'named']

export interface Batch {
  readonly bytes: Buffer
  /** Named statement that the batch creates. */
  readonly creates: string | null
}

/**
 * A statement as the bytes of one or two exchanges, each answered up to its ReadyForQuery. `prepared` holds the session's
 * named statements.
 */
export function render(random: Random, statement: Statement, mode: Mode, prepared: ReadonlySet<string>): Batch[] {
  const batch = (parts: readonly Buffer[], creates: string | null = null): Batch => ({
    bytes: Buffer.concat(parts),
    creates,
  })
  if (mode === 'simple') {
    const sql = statement.sql.replaceAll(/\$(\d+)/g, (_, n: string) =>
      literal(random, statement.parameters[Number(n) - 1] as Value),
    )
    return [batch([frames.query(sql)])]
  }
  const inBinary = random.chance(0.5)
  const declared = inBinary || random.chance(0.3)
  const types = declared ? statement.parameters.map(({ type }) => (type === 'numeric' ? 0 : oids[type])) : []
  const parameters = statement.parameters.map(parameter => (inBinary ? inBinaryForm(parameter) : parameter.value))
  const results = [random.below(2)]
  const sync = frames.sync
  switch (mode) {
    case 'unnamed':
      return [
        batch([
          frames.parse(statement.sql, '', types),
          frames.bind({ parameters, results }),
          frames.describePortal(),
          frames.execute(),
          sync,
        ]),
      ]
    case 'described':
      return [
        batch([frames.parse(statement.sql, '', types), frames.describeStatement(), sync]),
        batch([frames.bind({ parameters, results }), frames.execute(), sync]),
      ]
    case 'named': {
      const name = `s_${createHash('md5').update(`${statement.sql} ${types.join()}`).digest('hex').slice(0, 12)}`
      const run = batch([
        frames.bind({ statement: name, parameters, results }),
        frames.describePortal(),
        frames.execute(),
        sync,
      ])
      if (prepared.has(name)) return [run]
      return [batch([frames.parse(statement.sql, name, types), sync], name), run]
    }
  }
}

function inBinaryForm({ type, value }: Value): Parameter {
  if (value === null || type === 'numeric') return value
  if (type === 'int8') return binary.int8(BigInt(value))
  if (type === 'int4') return binary.int4(Number(value))
  if (type === 'int2') return binary.int2(Number(value))
  return type === 'uuid' ? binary.uuid(value) : binary.text(value)
}
