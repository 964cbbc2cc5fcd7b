import { scanSync, type ScanToken } from 'libpg-query'
import type { Derived } from './derived.ts'
import { addReach, callReach, type Reach, routineReachById, touch } from './reach.ts'

/** Words after which a PL/pgSQL body does something other than query and change rows. */
const UTILITY = new Set([
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
/** What may stand before a statement; SET there is a command, elsewhere it belongs to an UPDATE. */
const BEFORE_STATEMENT = new Set([';', 'begin', 'then', 'else', 'loop', 'atomic'])

/** A token as the catalog would name it: quoted names as they are, others in lower case; null for literals and signs. */
function wordOf(token: ScanToken): string | null {
  if (token.tokenName === 'IDENT' || token.tokenName === 'UIDENT') {
    return token.text.startsWith('"') ? token.text.slice(1, -1).replaceAll('""', '"') : token.text.toLowerCase()
  }
  return token.keywordKind > 0 || token.keywordName !== 'NO_KEYWORD' ? token.text.toLowerCase() : null
}

/**
 * What a PL/pgSQL body may reach, by its words alone: any word that names a relation counts as one, any word before a
 * parenthesis as a call. Too much rather than too little; a block that cannot be scanned reaches everything.
 */
export function scanBody(derived: Derived, body: string, reach: Reach): void {
  let tokens: ScanToken[]
  try {
    tokens = scanSync(body).tokens.filter(token => token.tokenName !== 'SQL_COMMENT' && token.tokenName !== 'C_COMMENT')
  } catch {
    reach.dynamic = reach.unsafe = reach.mayWrite = true
    return
  }
  // U&"…" is a name whose spelling is not read here.
  if (tokens.some(token => /^u&/i.test(token.text))) reach.dynamic = reach.mayWrite = reach.unsafe = true
  const words = tokens.map(wordOf)
  for (let i = 0; i < tokens.length; i++) {
    const word = words[i]
    if (word === null || word === undefined) {
      noteOperator(derived, tokens[i]?.text ?? '', reach)
      continue
    }
    if (word === 'execute') reach.dynamic = reach.mayWrite = reach.unsafe = true
    if (UTILITY.has(word)) reach.dynamic = reach.mayWrite = reach.unsafe = true
    if (STATE.has(word)) reach.state = true
    if (word === 'set' && BEFORE_STATEMENT.has((tokens[i - 1]?.text ?? ';').toLowerCase())) reach.state = true
    if (word === 'truncate') reach.dynamic = true
    for (const id of derived.types.get(word) ?? []) addReach(reach, routineReachById(derived, id))
    if (tokens[i + 1]?.text === '(') callReach(derived, reach, schemaBefore(tokens, words, i), word)
    noteRelation(derived, tokens, words, i, reach)
  }
  if (words.some(word => word === 'insert' || word === 'update' || word === 'delete' || word === 'merge')) {
    reach.mayWrite = true
    reach.unsafe = true
  }
}

function noteOperator(derived: Derived, text: string, reach: Reach): void {
  for (const id of derived.operators.get(text) ?? []) addReach(reach, routineReachById(derived, id))
}

function schemaBefore(tokens: readonly ScanToken[], words: readonly (string | null)[], at: number): string | null {
  return tokens[at - 1]?.text === '.' ? (words[at - 2] ?? null) : null
}

function noteRelation(
  derived: Derived,
  tokens: readonly ScanToken[],
  words: readonly (string | null)[],
  at: number,
  reach: Reach,
): void {
  const named = derived.byName.get(words[at] ?? '')
  if (named === undefined) return
  const write = isWritten(tokens, words, at)
  for (const relation of named) touch(derived, reach, relation, write)
}

/** INSERT INTO t, MERGE INTO t, UPDATE t, DELETE FROM t, TRUNCATE t, with ONLY, TABLE and a schema between. */
function isWritten(tokens: readonly ScanToken[], words: readonly (string | null)[], name: number): boolean {
  let at = name - 1
  while (tokens[at]?.text === '.') at -= 2
  while (words[at] === 'only' || words[at] === 'table') at--
  const before = words[at]
  if (before === 'update' || before === 'truncate') return true
  const verb = words[at - 1]
  return (before === 'into' && (verb === 'insert' || verb === 'merge')) || (before === 'from' && verb === 'delete')
}
