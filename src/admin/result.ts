/** Builds what a console statement answers. */
import type { ConsoleResult } from '../process/messages.ts'

export type ColumnType = ConsoleResult['columns'][number]['type']
export type Cell = string | number | boolean | null

/** One column of a listing: its name, its type, and how a row gives it. */
export interface Column<Row> {
  readonly name: string
  readonly type: ColumnType
  readonly value: (row: Row) => Cell
}

export function text<Row>(name: string, value: (row: Row) => Cell): Column<Row> {
  return { name, type: 'text', value }
}

export function int4<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return { name, type: 'int4', value }
}

export function int8<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return { name, type: 'int8', value }
}

export function numeric<Row>(name: string, value: (row: Row) => number | null): Column<Row> {
  return { name, type: 'numeric', value }
}

export function listing<Row>(tag: string, columns: ReadonlyArray<Column<Row>>, rows: readonly Row[]): ConsoleResult {
  return {
    tag,
    columns: columns.map(({ name, type }) => ({ name, type })),
    rows: rows.map(row => columns.map(column => cellText(column.value(row)))),
    notices: [],
  }
}

/** A command's answer: its tag and nothing else. */
export function done(tag: string, notices: readonly string[] = []): ConsoleResult {
  return { tag, columns: [], rows: [], notices }
}

/** PgBouncer's form of a point in time: `2026-01-31 23:59:59 UTC`; empty for none. */
export function timeText(ms: number): string {
  return ms <= 0 ? '' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

export function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

function cellText(cell: Cell): string | null {
  if (cell === null) return null
  if (typeof cell === 'boolean') return cell ? 't' : 'f'
  return String(cell)
}
