/** What the console answers, a record for each row. */
import { runConsole } from '../../../src/admin/console.ts'
import type { ConsoleResult } from '../../../src/process/messages.ts'
import { adminContext } from './context.ts'

export function objects(result: ConsoleResult): Array<Record<string, string | null>> {
  return result.rows.map(row =>
    Object.fromEntries(result.columns.map((column, index) => [column.name, row[index] ?? null])),
  )
}

export async function ask(sql: string, context = adminContext()): Promise<Array<Record<string, string | null>>> {
  return objects(await runConsole(sql, context))
}
