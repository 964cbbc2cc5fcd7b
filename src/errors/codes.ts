/**
 * The one table of everything that Shardway itself answers with. docs/reference/errors.md is made from it.
 * What a server says passes through unchanged and is not listed.
 */
import { CONNECTION_CODES } from './connection-codes.ts'
import type { ErrorCode } from './error-code.ts'
import { LOGIN_CODES } from './login-codes.ts'
import { OPERATION_CODES } from './operation-codes.ts'
import { ShardwayError } from './shardway-error.ts'
import { STATEMENT_CODES } from './statement-codes.ts'

export const CODES = { ...CONNECTION_CODES, ...LOGIN_CODES, ...STATEMENT_CODES, ...OPERATION_CODES }

export type ErrorName = keyof typeof CODES

/** Severity of a code by its name, for errors that travelled as plain fields. */
export function severityOf(code: string): 'ERROR' | 'FATAL' {
  return Object.hasOwn(CODES, code) ? CODES[code as ErrorName].severity : 'ERROR'
}

/** A ShardwayError of the table. `values` fill the {names} of its message; `hint` and the like replace the table's. */
export function errorOf(
  name: ErrorName,
  values: Readonly<Record<string, string | number>> = {},
  options: { detail?: string; hint?: string; position?: number; cause?: unknown } = {},
): ShardwayError {
  const code: ErrorCode = CODES[name]
  const message = code.message.replace(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole))
  const hint = options.hint ?? (code.hint === '' ? undefined : code.hint)
  return new ShardwayError(name, code.sqlstate, message, { ...options, ...(hint === undefined ? {} : { hint }) })
}
