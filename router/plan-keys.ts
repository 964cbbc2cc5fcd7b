/** Of the keys that a plan names. */
import type { CatalogIndex } from '../src/catalog/catalog-index.ts'
import { errorOf } from '../src/errors/codes.ts'
import type { KeySource, Plan } from './plan.ts'

const NO_KEYS: readonly KeySource[] = []

export function keysOf({ target }: Plan): readonly KeySource[] {
  return target.kind === 'keys' || target.kind === 'shard' ? (target.keys ?? NO_KEYS) : NO_KEYS
}

/** A server answers 23502 where the column is NOT NULL; elsewhere the row would have no place. Reads just find nothing. */
export function refuseNullKey(plan: Plan, catalog: CatalogIndex): void {
  for (const touch of plan.touches) {
    const relation = touch.write ? catalog.relationById(touch.relation) : undefined
    const placement = relation?.placement
    if (relation === undefined || placement?.kind !== 'sharded') continue
    const column = relation.columns.find(each => each.name === placement.column)
    if (column?.notNull !== true) throw errorOf('no_shard_key', { column: placement.column, table: relation.name })
  }
}
