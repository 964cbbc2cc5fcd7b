import { scanSync, type ScanToken } from 'libpg-query'

/** Words after which a PL/pgSQL body does something other than query and change rows. */
const UNSEEN = new Set([
  'execute',
  'truncate',
  'create',
  'alter',
  'drop',
  'grant',
  'revoke',
  'comment',
  'copy',
  'lock',
  'refresh',
  'reindex',
  'cluster',
  'vacuum',
  'analyze',
  'call',
])
const STATE = new Set([
  'listen',
  'unlisten',
  'notify',
  'prepare',
  'deallocate',
  'load',
  'discard',
  'reset',
  'temp',
  'temporary',
])
const CHANGES = new Set(['insert', 'update', 'delete', 'merge'])
/** What may stand before a statement; SET there is a command, elsewhere it belongs to an UPDATE. */
const BEFORE_STATEMENT = new Set([';', 'begin', 'then', 'else', 'loop', 'atomic'])

/** A word of a body: a name or keyword. Where it stands says what it could be. */
export interface BodyWord {
  readonly name: string
  readonly schema: string | null
  /** A parenthesis follows. */
  readonly called: boolean
  /** A dot stands before: it may be a field, or a function in functional notation. */
  readonly dotted: boolean
  /** It stands where INSERT, UPDATE, DELETE, MERGE or TRUNCATE name their table. */
  readonly written: boolean
}

export interface BodyWords {
  readonly words: readonly BodyWord[]
  /** Operators and other signs. */
  readonly signs: readonly string[]
  /** Runs SQL that is not in the body, or that is more than queries. */
  readonly unseen: boolean
  /** Changes the session's state. */
  readonly state: boolean
  readonly changes: boolean
}

/** A token as the catalog would name it: quoted names as they are, others in lower case; null for literals and signs. */
function wordOf(token: ScanToken): string | null {
  if (token.tokenName === 'IDENT' || token.tokenName === 'UIDENT') {
    return token.text.startsWith('"') ? token.text.slice(1, -1).replaceAll('""', '"') : token.text.toLowerCase()
  }
  return token.keywordName === 'NO_KEYWORD' ? null : token.text.toLowerCase()
}

/**
 * What a PL/pgSQL body may name, by its words alone: too much rather than too little. Null when it cannot be scanned.
 */
export function scanBody(body: string): BodyWords | null {
  let tokens: ScanToken[]
  try {
    tokens = scanSync(body).tokens.filter(token => token.tokenName !== 'SQL_COMMENT' && token.tokenName !== 'C_COMMENT')
  } catch {
    return null
  }
  const names = tokens.map(wordOf)
  const words: BodyWord[] = []
  const signs: string[] = []
  let state = false
  // U&"…" is a name whose spelling is not read here.
  let unseen = tokens.some(token => /^u&/i.test(token.text))
  for (const [i, name] of names.entries()) {
    if (name === null) {
      signs.push(tokens[i]?.text ?? '')
      continue
    }
    unseen ||= UNSEEN.has(name)
    state ||= STATE.has(name) || (name === 'set' && BEFORE_STATEMENT.has((tokens[i - 1]?.text ?? ';').toLowerCase()))
    words.push({
      name,
      schema: tokens[i - 1]?.text === '.' ? (names[i - 2] ?? null) : null,
      called: tokens[i + 1]?.text === '(',
      dotted: tokens[i - 1]?.text === '.',
      written: isWritten(tokens, names, i),
    })
  }
  return { words, signs, unseen, state, changes: words.some(word => CHANGES.has(word.name)) }
}

/** INSERT INTO t, MERGE INTO t, UPDATE t, DELETE FROM t, TRUNCATE t, with ONLY, TABLE and a schema between. */
function isWritten(tokens: readonly ScanToken[], names: readonly (string | null)[], place: number): boolean {
  let at = place - 1
  while (tokens[at]?.text === '.') at -= 2
  while (names[at] === 'only' || names[at] === 'table') at--
  const before = names[at]
  if (before === 'update' || before === 'truncate') return true
  const verb = names[at - 1]
  return (before === 'into' && (verb === 'insert' || verb === 'merge')) || (before === 'from' && verb === 'delete')
}
