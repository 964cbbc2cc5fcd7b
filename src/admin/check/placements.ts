/** Which table is placed how, children and partitions as their parents. */
import { parseQualifiedName } from '../../config/names.ts'
import type { DatabaseConfig } from '../../config/schema.ts'
import type { SchemaFacts } from './schema.ts'

export type CheckPlacement = { readonly kind: 'sharded'; readonly key: string } | { readonly kind: 'reference' }

/** By `schema.table`; what is not in it lives on default_shard only. */
export type Placements = ReadonlyMap<string, CheckPlacement>

/** The tables that the file names, by `schema.table`. */
export function declaredTables(database: DatabaseConfig): Placements {
  const declared = new Map<string, CheckPlacement>()
  for (const table of database.tables) {
    const name = parseQualifiedName(table.name)
    if (name === null) continue
    const placement: CheckPlacement =
      table.key === undefined ? { kind: 'reference' } : { kind: 'sharded', key: table.key }
    declared.set(`${name.schema}.${name.name}`, placement)
  }
  return declared
}

export function placementsOf(database: DatabaseConfig, schema: SchemaFacts): Placements {
  const declared = declaredTables(database)
  const placed = new Map(declared)
  for (const [name, table] of schema.tables) {
    let above = table.parent
    while (!placed.has(name) && above !== '') {
      const found = declared.get(above)
      if (found !== undefined) placed.set(name, found)
      above = schema.tables.get(above)?.parent ?? ''
    }
  }
  return placed
}
