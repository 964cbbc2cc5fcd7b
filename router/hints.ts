/** Hints in a comment: a `shardway:` prefix, then `key=42, role=replica`. Values may be quoted with ' or ". */
import type { Lexer } from './lexer.ts'
import { blockCommentEnd, lineEnd } from './scan.ts'

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
  const found = new Map(session)
  if (leadingHintStart >= 0) addHints(found, bytes, leadingHintStart, leadingHintEnd)
  if (trailingHintStart >= 0) addHints(found, bytes, trailingHintStart, trailingHintEnd)
  return found
}

/** Hints of each comment in a range that has no tokens: later ones win, comments without hints add nothing. */
function addHints(found: Map<string, string>, bytes: Buffer, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const [byte, next] = [bytes[at], bytes[at + 1]]
    let stop = -1
    if (byte === 45 && next === 45) stop = lineEnd(bytes, at, end)
    else if (byte === 47 && next === 42) {
      stop = blockCommentEnd(bytes, at, end)
      if (stop < 0) stop = end
    }
    if (stop > 0) for (const [name, value] of parseHints(bytes.toString('utf8', at, stop))) found.set(name, value)
    at = stop > 0 ? stop : at + 1
  }
}
