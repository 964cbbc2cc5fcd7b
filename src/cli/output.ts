/** What the CLI prints: tables for people, JSON for programs. */

export interface CliColumn {
  readonly name: string
  /** A number in JSON, flush right in a table. */
  readonly number: boolean
}

export interface CliResult {
  readonly tag: string
  readonly columns: readonly CliColumn[]
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>
}

export function tableText(result: CliResult): string {
  if (result.columns.length === 0) return `${result.tag}\n`
  const cells = result.rows.map(row => row.map(cell => visible(cell ?? '')))
  const widths = result.columns.map((column, index) =>
    Math.max(column.name.length, ...cells.map(row => width(row[index] ?? ''))),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => {
        const blanks = ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(cell)))
        return (result.columns[index]?.number ?? false) ? blanks + cell : cell + blanks
      })
      .join('  ')
      .trimEnd()
  const head = line(result.columns.map(column => column.name))
  const rule = widths.map(width => '─'.repeat(width)).join('  ')
  return `${[head, rule, ...cells.map(line)].join('\n')}\n`
}

export function jsonText(result: CliResult): string {
  if (result.columns.length === 0) return `${JSON.stringify({ done: result.tag })}\n`
  const rows = result.rows.map(row =>
    Object.fromEntries(result.columns.map((column, index) => [column.name, jsonValue(row[index] ?? null, column)])),
  )
  return `${JSON.stringify(rows, null, 2)}\n`
}

function jsonValue(cell: string | null, column: CliColumn): string | number | null {
  if (cell === null || !column.number) return cell
  const value = Number(cell)
  // Beyond 2^53 a number would be another one.
  return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : cell
}

/** In characters: names of other scripts must not shift the columns more than they do themselves. */
function width(text: string): number {
  return Array.from(text).length
}

/** Control characters from a server or a client's application_name must not reach the terminal. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, char => (char === '\n' ? ' ' : '\uFFFD'))
}
