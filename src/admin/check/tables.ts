/** What a shard's schema would not let be sharded. Pure. */
import type { DatabaseConfig } from '../../config/schema.ts'
import { type Finding, failure, warning } from './finding.ts'
import { type CheckPlacement, declaredTables, type Placements, placementsOf } from './placements.ts'
import type { ConstraintFact, SchemaFacts, TableFact, TriggerFact } from './schema.ts'

const KEY_TYPES: ReadonlySet<string> = new Set(['int2', 'int4', 'int8', 'text', 'varchar', 'uuid'])

/** With one shard nothing is refused: what stands in the way of a second one is a warning. */
export function checkTables(database: DatabaseConfig, schema: SchemaFacts): readonly Finding[] {
  const findings: Finding[] = []
  const wrong = database.shards.length > 1 ? failure : warning
  const placements = placementsOf(database, schema)
  for (const [name, placement] of declaredTables(database)) {
    const table = schema.tables.get(name)
    const where = `${database.name}/${name}`
    if (table === undefined) {
      const hint =
        database.shards.length > 1
          ? 'CREATE TABLE through the proxy, once for each shard after SET shardway.shard = NAME, makes it sharded or reference at once.'
          : 'CREATE TABLE through the proxy makes it sharded or reference at once.'
      findings.push(warning(where, 'the declared table does not exist', hint))
    } else if (table.kind !== 'r' && table.kind !== 'p') {
      findings.push(failure(where, 'is no table', 'Declare the tables behind it.'))
    } else if (placement.kind === 'sharded') {
      checkKey(where, table, placement.key, findings)
    }
  }
  for (const [name, table] of schema.tables) {
    const placement = placements.get(name)
    const where = `${database.name}/${name}`
    if (placement?.kind === 'sharded') {
      checkUnique(where, table, placement.key, wrong, findings)
      for (const trigger of table.triggers) checkTrigger(where, trigger, placement.key, findings)
      checkReplicaIdentity(where, table, findings)
      checkSequences(where, table, database, findings)
    }
    for (const constraint of table.constraints) {
      if (constraint.kind === 'f') checkForeignKey(where, constraint, placement, placements, wrong, findings)
    }
  }
  return findings
}

function checkKey(where: string, table: TableFact, key: string, findings: Finding[]): void {
  const column = table.columns.find(one => one.name === key)
  if (column === undefined) {
    const names = table.columns.map(one => one.name).join(', ')
    findings.push(failure(where, `has no column "${key}"`, `The key must be one of ${names}.`))
    return
  }
  if (!KEY_TYPES.has(column.base)) {
    const hint = 'A shard key is int2, int4, int8, text, varchar or uuid.'
    findings.push(failure(where, `the shard key "${key}" has type ${column.type}`, hint))
  }
  if (!column.deterministic) {
    const hint = 'Equal keys could have different bytes and so different shards; use a deterministic collation.'
    findings.push(failure(where, `the shard key "${key}" has a nondeterministic collation`, hint))
  }
  if (column.generated) {
    const hint = 'Its value is not in the statement, so the shard cannot be known.'
    findings.push(failure(where, `the shard key "${key}" is a generated column`, hint))
  } else if (!column.notNull) {
    const hint = `ALTER TABLE ${where.slice(where.indexOf('/') + 1)} ALTER ${key} SET NOT NULL; rows without a key have no shard.`
    findings.push(warning(where, `the shard key "${key}" may be null`, hint))
  }
}

type Report = (where: string, message: string, hint?: string) => Finding

function checkUnique(where: string, table: TableFact, key: string, wrong: Report, findings: Finding[]): void {
  for (const index of table.indexes) {
    if (!index.unique || index.columns.includes(key)) continue
    const what = index.primary ? 'primary key' : 'unique index'
    const hint = `Add "${key}" to its columns: each shard can only see its own rows.`
    findings.push(wrong(where, `the ${what} "${index.name}" lacks the shard key "${key}"`, hint))
  }
  for (const constraint of table.constraints) {
    if (constraint.kind !== 'x' || new RegExp(`\\b${escaped(key)}\\b[^,]* WITH =`).test(constraint.definition)) continue
    const hint = `Add "${key} WITH =" to it: each shard can only see its own rows.`
    findings.push(wrong(where, `the exclusion constraint "${constraint.name}" lacks the shard key "${key}"`, hint))
  }
}

function checkForeignKey(
  where: string,
  constraint: ConstraintFact,
  from: CheckPlacement | undefined,
  placements: Placements,
  wrong: Report,
  findings: Finding[],
): void {
  const to = placements.get(constraint.target)
  const report = (why: string, hint: string): void => {
    findings.push(
      wrong(where, `the foreign key "${constraint.name}" to ${constraint.target} would cross shards: ${why}`, hint),
    )
  }
  if (from === undefined && to === undefined) return
  if (to?.kind === 'reference') return
  if (from?.kind === 'sharded' && to?.kind === 'sharded') {
    const at = constraint.columns.indexOf(from.key)
    if (at >= 0 && constraint.targetColumns[at] === to.key) return
    report(`it does not lead from "${from.key}" to "${to.key}"`, 'Make both shard keys part of it, at the same place.')
  } else if (to === undefined) {
    report(`${constraint.target} is on default_shard only`, `Declare ${constraint.target} as sharded or reference.`)
  } else if (from === undefined) {
    report('its own table is on default_shard only', 'Declare this table with a shard key.')
  } else {
    report('a reference table cannot point at rows of one shard', 'Drop it, or declare this table with a shard key.')
  }
}

/** An assignment to NEW.key at the start of a PL/pgSQL statement, or NEW as a whole. */
export function assignsKey(source: string, key: string): boolean {
  const code = source
    .replace(/\/\*[\s\S]*?\*\/|--[^\n]*/g, ' ')
    .replace(/'(?:[^']|'')*'/g, "''")
    .toLowerCase()
  const name = escaped(key.toLowerCase())
  const target = `new\\s*\\.\\s*"?${name}"?(?![\\w$])`
  const start = '(?:^|;|\\bbegin\\b|\\bthen\\b|\\belse\\b|\\bloop\\b|>>)\\s*'
  return (
    new RegExp(`${start}${target}\\s*:?=`).test(code) ||
    new RegExp(`\\binto\\s+(?:strict\\s+)?(?:[\\w.",\\s]+,\\s*)?(?:${target}|new(?![\\w.$]|\\s*\\.))`).test(code) ||
    new RegExp(`${start}new\\s*:?=`).test(code)
  )
}

function checkTrigger(where: string, trigger: TriggerFact, key: string, findings: Finding[]): void {
  if (!trigger.beforeRowWrite) return
  if (trigger.language !== 'plpgsql') {
    // Built-in and internal trigger functions (suppress_redundant_updates_trigger) assign no column.
    if (trigger.language === 'internal') return
    const hint = `It is written in ${trigger.language}: see for yourself that it leaves "${key}" alone.`
    findings.push(warning(where, `the BEFORE trigger "${trigger.name}" cannot be read`, hint))
    return
  }
  if (!assignsKey(trigger.source, key)) return
  const hint = 'The shard is chosen before the trigger runs. Compute the key in the application.'
  findings.push(failure(where, `the BEFORE trigger "${trigger.name}" assigns the shard key "${key}"`, hint))
}

function checkReplicaIdentity(where: string, table: TableFact, findings: Finding[]): void {
  if (table.kind !== 'r') return
  const hasPrimary = table.indexes.some(index => index.primary)
  if (table.replicaIdentity === 'f' || table.replicaIdentity === 'i') return
  if (table.replicaIdentity === 'd' && hasPrimary) return
  const hint = 'Add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL: moving its rows needs one.'
  findings.push(warning(where, 'has no replica identity', hint))
}

function checkSequences(where: string, table: TableFact, database: DatabaseConfig, findings: Finding[]): void {
  if (database.shards.length < 2) return
  for (const column of table.columns) {
    if (!column.sequence) continue
    const hint =
      'Give the value in the INSERT; values that are unique over shards are not yet supported in this release.'
    findings.push(warning(where, `column "${column.name}" draws from a sequence of its own on each shard`, hint))
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
