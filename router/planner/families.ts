import type { TypeName } from '@pgsql/types'
import type { Column, Relation } from '../../src/catalog/catalog.ts'
import type { KeyType } from '../plan.ts'
import { names } from './walk.ts'

const BY_NAME: ReadonlyMap<string, KeyType> = new Map([
  ['int2', 'int'],
  ['int4', 'int'],
  ['int8', 'int'],
  ['text', 'text'],
  ['varchar', 'text'],
  ['uuid', 'uuid'],
])

/**
 * Family of a cast's type when the cast keeps the value: no length (varchar(2) cuts), no array, no bpchar (its blanks do
 * not count), no numeric or float (they lose or add digits). Null for everything else.
 */
export function castFamily(type: TypeName | undefined, array: boolean): KeyType | null {
  if (type === undefined || type.setof === true || type.pct_type === true) return null
  if ((type.typmods?.length ?? 0) > 0) return null
  if ((type.arrayBounds?.length ?? 0) !== (array ? 1 : 0)) return null
  const path = names(type.names)
  if (path.length > 2 || (path.length === 2 && path[0] !== 'pg_catalog')) return null
  return BY_NAME.get(path[path.length - 1] ?? '') ?? null
}

/**
 * Family of a column, or null when equality on it must not carry a key. Text columns other than shard keys stay out: a
 * collation that is not deterministic would make 'a' equal 'A' there.
 */
export function columnFamily(relation: Relation, column: Column): KeyType | null {
  const { placement } = relation
  if (placement.kind === 'sharded' && placement.column === column.name) return placement.type
  if (column.type === 20 || column.type === 21 || column.type === 23) return 'int'
  return column.type === 2950 ? 'uuid' : null
}
