import type { Node, ParseResult } from '@pgsql/types'
import { hasSqlDetails, loadModule, parseSync } from 'libpg-query'
import { ShardwayError } from '../../src/errors/shardway-error.ts'

/** The parser is WebAssembly: it must be loaded once before anything is planned. */
export async function loadParser(): Promise<void> {
  await loadModule()
}

/** Statements of a text, in order. Throws 42601 with a 1-based character position, as a server would answer. */
export function parseStatements(text: string): readonly Node[] {
  // The parser refuses '' but not ' ', and a server takes both for an empty query.
  if (text === '') return []
  let result: ParseResult
  try {
    result = parseSync(text)
  } catch (error) {
    if (!hasSqlDetails(error) || error.sqlDetails === undefined) throw error
    const { message, cursorPosition } = error.sqlDetails
    // PostgreSQL's own grammar has a bounded stack; that is 54001, not a mistake in the text.
    const tooDeep = message.startsWith('memory exhausted')
    const position = cursorPosition >= 0 ? cursorPosition + 1 : 0
    throw new ShardwayError(tooDeep ? 'too_complex' : 'syntax_error', tooDeep ? '54001' : '42601', message, {
      position,
      cause: error,
    })
  }
  const nodes: Node[] = []
  for (const raw of result.stmts ?? []) if (raw.stmt !== undefined) nodes.push(raw.stmt)
  return nodes
}

/** Statements of a function body or view definition, or null when it does not parse. */
export function tryParse(text: string): readonly Node[] | null {
  try {
    return parseStatements(text)
  } catch {
    return null
  }
}
