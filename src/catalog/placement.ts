/** The configuration's tables against what the database has: which relation is placed how, and what stands in the way. */
import { parseQualifiedName } from '../config/names.ts'
import type { Column, Placement } from './catalog.ts'

/** `[[databases.tables]]`: `name` is in `public` unless qualified. */
export interface TableDeclaration {
  readonly name: string
  readonly key?: string | undefined
  readonly reference?: boolean | undefined
}

export interface PlacedColumn extends Column {
  /** pg_attribute.atttypmod */
  readonly typeModifier: number
  readonly typeName: string
  readonly deterministic: boolean
  /** GENERATED ALWAYS AS (expression). */
  readonly computed: boolean
}

export interface Placeable {
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly columns: readonly PlacedColumn[]
  /** Every parent, in order. */
  readonly parents: readonly number[]
}

export interface Placements {
  readonly byId: ReadonlyMap<number, Placement>
  readonly problems: string[]
  readonly missing: string[]
}

const LOCAL: Placement = { kind: 'local' }
const KEY_TYPES = new Map<number, 'int' | 'text' | 'uuid'>([
  [21, 'int'],
  [23, 'int'],
  [20, 'int'],
  [25, 'text'],
  [1043, 'text'],
  [2950, 'uuid'],
])
/** varchar(n) has n + 4 as its modifier. */
const VARCHAR = 1043
const VARHDRSZ = 4
/** Matches no column: such a table counts as sharded and no statement can be pinned by it. */
const UNUSABLE: Placement = { kind: 'sharded', column: '', type: 'int', maxChars: 0 }

export function placementsOf(relations: readonly Placeable[], tables: readonly TableDeclaration[]): Placements {
  const problems: string[] = []
  const missing: string[] = []
  const byName = new Map(relations.map(relation => [`${relation.schema}.${relation.name}`, relation]))
  const declared = new Map<number, Placement>()
  for (const table of tables) {
    const name = qualifiedName(table.name)
    const relation = byName.get(name)
    if (relation === undefined) missing.push(name)
    else declared.set(relation.id, declaredPlacement(name, relation, table, problems))
  }
  const byId = new Map<number, Placement>()
  const parents = new Map(relations.map(relation => [relation.id, relation]))
  for (const relation of relations) inherit(relation, declared, parents, byId, problems)
  return { byId, problems, missing }
}

/** A name of the configuration as `schema.name`, without quotes. */
export function qualifiedName(name: string): string {
  const parts = parseQualifiedName(name)
  return parts === null ? name : `${parts.schema}.${parts.name}`
}

function declaredPlacement(name: string, relation: Placeable, table: TableDeclaration, problems: string[]): Placement {
  if (relation.kind !== 'r' && relation.kind !== 'p') {
    problems.push(`${name} is not a table: only tables can be sharded or reference tables`)
    return table.key === undefined ? LOCAL : UNUSABLE
  }
  if (table.reference === true) return { kind: 'reference' }
  const key = table.key
  if (key === undefined) return LOCAL
  const column = relation.columns.find(each => each.name === key)
  if (column === undefined) {
    problems.push(`${name} has no column "${key}", which the configuration names as its shard key`)
    return UNUSABLE
  }
  const type = KEY_TYPES.get(column.type)
  if (type === undefined) {
    problems.push(
      `the shard key ${name}.${key} is of type ${column.typeName}: it must be smallint, integer, bigint, text, varchar or uuid`,
    )
    return UNUSABLE
  }
  if (!column.deterministic) {
    problems.push(
      `the shard key ${name}.${key} has a non-deterministic collation: equal keys would have different slots`,
    )
    return UNUSABLE
  }
  if (column.computed) {
    problems.push(`the shard key ${name}.${key} is a generated column: its value is not in the statement`)
    return UNUSABLE
  }
  const maxChars = column.type === VARCHAR && column.typeModifier >= VARHDRSZ ? column.typeModifier - VARHDRSZ : 0
  return { kind: 'sharded', column: key, type, maxChars }
}

/** Partitions and children lie with their parents; a parent that is placed decides. */
function inherit(
  relation: Placeable,
  declared: ReadonlyMap<number, Placement>,
  all: ReadonlyMap<number, Placeable>,
  done: Map<number, Placement>,
  problems: string[],
): Placement {
  const known = done.get(relation.id)
  if (known !== undefined) return known
  const own = declared.get(relation.id)
  let placement = own ?? LOCAL
  for (const id of relation.parents) {
    const parent = all.get(id)
    if (parent === undefined) continue
    const above = inherit(parent, declared, all, done, problems)
    const name = `${relation.schema}.${relation.name}`
    if (above.kind === 'local') {
      if (placement.kind !== 'local') {
        problems.push(`${name} is declared but its parent ${parent.schema}.${parent.name} is not: declare the parent`)
      }
    } else if (placement === LOCAL) {
      placement = above
    } else if (!same(placement, above)) {
      problems.push(`${name} is placed otherwise than its parent ${parent.schema}.${parent.name}`)
      if (above.kind === 'sharded') placement = above
    }
  }
  done.set(relation.id, placement)
  return placement
}

function same(a: Placement, b: Placement): boolean {
  if (a.kind !== 'sharded' || b.kind !== 'sharded') return a.kind === b.kind
  return a.column === b.column && a.type === b.type && a.maxChars === b.maxChars
}
