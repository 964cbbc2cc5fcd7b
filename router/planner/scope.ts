import type { Relation } from '../../src/catalog/catalog.ts'

export interface OutputColumn {
  readonly name: string
  /** Node in the graph, or -1 when the column carries no key. */
  readonly node: number
}

/** Columns of a FROM item or a query. `open`: there may be columns that are not known here. */
export interface Columns {
  readonly columns: readonly OutputColumn[]
  readonly open: boolean
}

/** One entry of a namespace, as parse_relation.c keeps them (ParseNamespaceItem). */
export interface Item extends Columns {
  /** Null for a join without an alias. */
  readonly alias: string | null
  /** Set when the item may be called by its schema-qualified name: no alias was given. */
  readonly relation: Relation | null
  readonly relationVisible: boolean
  /** False for the sides of a join with USING or an alias: their columns are reached through the join. */
  readonly columnsVisible: boolean
}

export interface Level {
  readonly items: readonly Item[]
  readonly parent: Level | null
}

export interface Found {
  readonly node: number
  /** The column belongs to the innermost level. */
  readonly own: boolean
  readonly item: Item
}

const SYSTEM_COLUMNS = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

function inItem(item: Item, name: string, own: boolean): Found | null {
  const matches = item.columns.filter(column => column.name === name)
  const [match] = matches
  return matches.length === 1 && match !== undefined && match.node >= 0 ? { node: match.node, own, item } : null
}

function bare(name: string, level: Level | null): Found | null {
  if (SYSTEM_COLUMNS.has(name)) return null
  let own = true
  for (let at = level; at !== null; at = at.parent, own = false) {
    const holders = at.items.filter(item => item.columnsVisible && item.columns.some(column => column.name === name))
    const [holder] = holders
    if (holders.length > 1) return null
    if (holder !== undefined) return inItem(holder, name, own)
    // It may be a column that is not known here; looking further out could find another one.
    if (at.items.some(item => item.columnsVisible && item.open)) return null
  }
  return null
}

/** True when the innermost level has, or may have, a column of this name. */
export function hasColumn(level: Level, name: string): boolean {
  return level.items.some(
    item => item.columnsVisible && (item.open || item.columns.some(column => column.name === name)),
  )
}

/** The item that `alias.column` or `schema.table.column` means, as Postgres finds it: the innermost level that has one. */
export function findItem(path: readonly string[], level: Level | null): { item: Item; own: boolean } | null {
  const name = path[path.length - 1]
  const schema = path.length > 1 ? path[path.length - 2] : undefined
  let own = true
  for (let at = level; at !== null; at = at.parent, own = false) {
    const matches = at.items.filter(item => {
      if (!item.relationVisible) return false
      if (schema === undefined) return item.alias === name
      return item.relation !== null && item.relation.schema === schema && item.relation.name === name
    })
    const [match] = matches
    if (matches.length > 1) return null
    if (match !== undefined) return { item: match, own }
  }
  return null
}

/** The node of a column reference, or null when it is unknown, ambiguous or of no key family. */
export function findColumn(path: readonly string[], level: Level | null): Found | null {
  const name = path[path.length - 1]
  if (name === undefined) return null
  if (path.length === 1) return bare(name, level)
  const found = findItem(path.slice(0, -1), level)
  return found === null ? null : inItem(found.item, name, found.own)
}

/** Columns of `*` over these items, in order. */
export function visibleColumns(items: readonly Item[]): Columns {
  const visible = items.filter(item => item.columnsVisible)
  return { columns: visible.flatMap(item => item.columns), open: visible.some(item => item.open) }
}

/** Columns after an alias's list: the first are renamed, in order. */
export function renamed(columns: Columns, aliases: readonly string[]): Columns {
  if (aliases.length === 0) return columns
  if (columns.open) return { columns: aliases.map(name => ({ name, node: -1 })), open: true }
  return { columns: columns.columns.map((column, i) => ({ ...column, name: aliases[i] ?? column.name })), open: false }
}
