/** Hints in a comment: a `shardway:` prefix, then `key=42, role=replica`. Values may be quoted with ' or ". */
import type { Lexer } from './lexer.ts'

const NAMES: ReadonlySet<string> = new Set([
  'shard',
  'key',
  'role',
  'consistency',
  'cache',
  'stale',
  'cross_shard_isolation',
])

export const NO_HINTS: ReadonlyMap<string, string> = new Map()

const PREFIX = /^(?:--|\/\*)\s*shardway:/i
const PAIR = /^([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([^\s,'"]+))\s*(?:,\s*|$)/

/**
 * `comment` with its marks; lower-case names → values. A piece that is not `name=value` becomes a name of its own, so
 * that `unknownHints` reports it. A name given twice keeps its last value.
 */
export function parseHints(comment: string): ReadonlyMap<string, string> {
  const prefix = PREFIX.exec(comment)
  if (prefix === null) return NO_HINTS
  const end = comment.startsWith('/*') && comment.endsWith('*/') ? comment.length - 2 : comment.length
  let rest = comment.slice(prefix[0].length, end).trim()
  const values = new Map<string, string>()
  while (rest !== '') {
    const pair = PAIR.exec(rest)
    if (pair === null) {
      values.set(`${rest} (not name=value)`, '')
      break
    }
    const value = pair[2]?.replaceAll("''", "'") ?? pair[3]?.replaceAll('""', '"') ?? pair[4] ?? ''
    values.set((pair[1] ?? '').toLowerCase(), value)
    rest = rest.slice(pair[0].length)
  }
  return values
}

/** Names that mean nothing, and malformed pieces: the planner refuses the statement with 22023. */
export function unknownHints(values: ReadonlyMap<string, string>): readonly string[] {
  return [...values.keys()].filter(name => !NAMES.has(name))
}

/** Hints of the text last lexed: those of the session give way to a leading comment's, those to a trailing one's. */
export function hintsOf(lexer: Lexer, session: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { leadingHintStart, leadingHintEnd, trailingHintStart, trailingHintEnd } = lexer
  if (leadingHintStart < 0 && trailingHintStart < 0) return session
  const { bytes } = lexer.literals
  const leading = leadingHintStart < 0 ? [] : parseHints(bytes.toString('utf8', leadingHintStart, leadingHintEnd))
  const trailing = trailingHintStart < 0 ? [] : parseHints(bytes.toString('utf8', trailingHintStart, trailingHintEnd))
  return new Map([...session, ...leading, ...trailing])
}
