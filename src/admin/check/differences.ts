/** Where the schemas of two shards differ in what both must have. Pure. */
import { type Finding, failure, warning } from './finding.ts'
import type { Placements } from './placements.ts'
import type { SchemaFacts, TableFact } from './schema.ts'

/** Texts of long definitions are cut in messages. */
const SHOWN_CHARS = 80

/**
 * @param expected the schema of default_shard.
 * @param where `app/s1`, the other shard.
 */
export function schemaDifferences(
  where: string,
  expected: SchemaFacts,
  found: SchemaFacts,
  placements: Placements,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const name of placements.keys()) {
    const here = expected.tables.get(name)
    const there = found.tables.get(name)
    if (here !== undefined && there === undefined) {
      findings.push(
        failure(`${where}/${name}`, 'the table is missing, default_shard has it', 'Create it as it is there.'),
      )
    } else if (here === undefined && there !== undefined) {
      const hint = 'Create it on default_shard too, or drop it here.'
      findings.push(failure(`${where}/${name}`, 'the table is missing on default_shard', hint))
    } else if (here !== undefined && there !== undefined) {
      tableDifferences(`${where}/${name}`, here, there, findings)
    }
  }
  named(where, 'function', expected.functions, found.functions, findings)
  named(where, 'type', expected.types, found.types, findings)
  named(where, 'extension', expected.extensions, found.extensions, findings)
  return findings
}

function tableDifferences(where: string, expected: TableFact, found: TableFact, findings: Finding[]): void {
  if (columnNames(expected) !== columnNames(found)) {
    const hint = 'SELECT * and INSERT without a column list need the same columns in the same order.'
    const message = `columns are (${columnNames(found)}), on default_shard (${columnNames(expected)})`
    findings.push(failure(where, message, hint))
  } else {
    for (const [index, column] of expected.columns.entries()) {
      const other = found.columns[index]
      if (other === undefined || other.definition === column.definition) continue
      const message = `column "${column.name}" is ${cut(other.definition)}, on default_shard ${cut(column.definition)}`
      findings.push(failure(where, message, 'Make them equal.'))
    }
  }
  objects(where, 'constraint', definitions(expected.constraints), definitions(found.constraints), failure, findings)
  objects(where, 'unique index', indexes(expected, true), indexes(found, true), failure, findings)
  objects(where, 'index', indexes(expected, false), indexes(found, false), warning, findings)
  objects(where, 'trigger', definitions(expected.triggers), definitions(found.triggers), failure, findings)
}

function columnNames(table: TableFact): string {
  return table.columns.map(column => column.name).join(', ')
}

interface Defined {
  readonly name: string
  readonly definition: string
}

function definitions(all: readonly Defined[]): ReadonlyMap<string, string> {
  return new Map(all.map(one => [one.name, one.definition]))
}

/** Without those of constraints, which are compared as such. */
function indexes(table: TableFact, unique: boolean): ReadonlyMap<string, string> {
  const constraints = new Set(table.constraints.map(constraint => constraint.name))
  return definitions(table.indexes.filter(one => one.unique === unique && !constraints.has(one.name)))
}

type Report = (where: string, message: string, hint?: string) => Finding

function objects(
  where: string,
  kind: string,
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  report: Report,
  findings: Finding[],
): void {
  for (const [name, definition] of expected) {
    const other = found.get(name)
    if (other === undefined)
      findings.push(report(where, `the ${kind} "${name}" of default_shard is missing`, cut(definition)))
    else if (other !== definition) {
      findings.push(
        report(
          where,
          `the ${kind} "${name}" is ${cut(other)}, on default_shard ${cut(definition)}`,
          'Make them equal.',
        ),
      )
    }
  }
  for (const [name, definition] of found) {
    if (!expected.has(name))
      findings.push(report(where, `the ${kind} "${name}" is not on default_shard`, cut(definition)))
  }
}

/** A function or type may serve tables of default_shard only, so that its absence is a warning. */
function named(
  where: string,
  kind: string,
  expected: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
  findings: Finding[],
): void {
  for (const [name, definition] of expected) {
    const other = found.get(name)
    if (other === undefined) {
      const hint = 'Create it here too if statements on sharded or reference tables use it.'
      findings.push(warning(where, `the ${kind} ${name} of default_shard is missing`, hint))
    } else if (other !== definition) {
      const report = kind === 'extension' ? warning : failure
      const hint = 'Statements would answer differently on each shard. Make them equal.'
      findings.push(report(where, `the ${kind} ${name} differs from that of default_shard`, hint))
    }
  }
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS - 1)}…` : line
}
