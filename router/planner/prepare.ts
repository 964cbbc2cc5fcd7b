/**
 * SQL-level PREPARE and EXECUTE over several shards: the session keeps the statement as if the protocol's Parse had made it, and
 * EXECUTE goes to the shard of its key. With one shard the session keeps its server for them instead.
 */
import type { ExecuteStmt, Node, PrepareStmt, TypeName } from '@pgsql/types'
import { scanSync, type ScanToken } from 'libpg-query'
import type { SessionCommand } from '../plan.ts'
import type { Analysis } from './analysis.ts'
import { firm } from './problems.ts'
import { collectFacts } from './walk.ts'

const PROTOCOL = 'Use prepared statements of the protocol, as drivers do.'

/** OIDs of Postgres's own types and of their arrays (pg_type.dat). */
const TYPES: ReadonlyMap<string, readonly [oid: number, array: number]> = new Map([
  ['bool', [16, 1000]],
  ['bytea', [17, 1001]],
  ['name', [19, 1003]],
  ['int8', [20, 1016]],
  ['int2', [21, 1005]],
  ['int4', [23, 1007]],
  ['text', [25, 1009]],
  ['oid', [26, 1028]],
  ['json', [114, 199]],
  ['float4', [700, 1021]],
  ['float8', [701, 1022]],
  ['inet', [869, 1041]],
  ['bpchar', [1042, 1014]],
  ['varchar', [1043, 1015]],
  ['date', [1082, 1182]],
  ['time', [1083, 1183]],
  ['timestamp', [1114, 1115]],
  ['timestamptz', [1184, 1185]],
  ['interval', [1186, 1187]],
  ['timetz', [1266, 1270]],
  ['numeric', [1700, 1231]],
  ['uuid', [2950, 2951]],
  ['jsonb', [3802, 3807]],
])

/** Undefined for a type that is not Postgres's own. Modifiers are ignored, as Postgres ignores them here. */
function typeOid(node: Node): number | undefined {
  const type: TypeName | undefined = 'TypeName' in node ? node.TypeName : undefined
  if (type === undefined || type.setof === true || type.pct_type === true) return undefined
  const names = (type.names ?? []).map(name => ('String' in name ? (name.String.sval ?? '') : ''))
  const [first, second] = names
  const known = names.length === 2 && first === 'pg_catalog' ? second : names.length === 1 ? first : undefined
  const [oid, array] = TYPES.get(known ?? '') ?? []
  return (type.arrayBounds ?? []).length > 0 ? array : oid
}

export function planPrepare(a: Analysis, statement: PrepareStmt): SessionCommand | null {
  const { name = '', argtypes = [], query } = statement
  if (query !== undefined) for (const range of collectFacts(query).relations) a.visited.add(range)
  if (!a.several) {
    a.pinned('prepare')
    return null
  }
  if (!a.alone) {
    a.problem(firm('PREPARE among several statements', PROTOCOL))
    return null
  }
  const types = argtypes.map(typeOid)
  const unknown = types.indexOf(undefined)
  if (unknown >= 0) {
    a.problem(firm('PREPARE with a parameter of a type that is not built in', 'Leave it out, and cast: $1::my_type.'))
  }
  const start = afterAs(a.input.text)
  return { kind: 'prepare', name, types: types.map(oid => oid ?? 0), text: blankBefore(a.input.text, start) }
}

/** Where the statement begins, bytes: behind the AS that follows name and types. */
function afterAs(text: string): number {
  const tokens = words(text)
  let depth = 0
  // PREPARE is followed by the name, which may be any word.
  const first = tokens.findIndex(token => token.text.toLowerCase() === 'prepare')
  for (const token of tokens.slice(first + 2)) {
    if (token.text === '(') depth++
    else if (token.text === ')') depth--
    else if (depth === 0 && token.text.toLowerCase() === 'as') return token.end
  }
  throw new Error('PREPARE without AS')
}

export function planExecute(a: Analysis, statement: ExecuteStmt): SessionCommand | null {
  if (!a.several || !a.alone) {
    // PREPARE is what pins: without one, EXECUTE only finds nothing.
    a.useAnything(true)
    a.problem(firm('EXECUTE among several statements', PROTOCOL))
    return null
  }
  const tokens = words(a.input.text)
  const nameToken = tokens[tokens.findIndex(token => token.text.toLowerCase() === 'execute') + 1]
  if (nameToken === undefined) throw new Error('EXECUTE without a name')
  if (nameToken.tokenName === 'UIDENT') a.problem(firm('EXECUTE of a name in U&""', 'Write the name in plain quotes.'))
  if (!(statement.params ?? []).every(isPlain)) {
    a.problem(firm('EXECUTE with an argument that is no constant', 'Give plain numbers or strings.'))
  }
  return {
    kind: 'execute',
    name: statement.name ?? '',
    nameStart: nameToken.start,
    nameEnd: nameToken.end,
    values: (statement.params ?? []).map(constant),
  }
}

const WHOLE = /^-?(?:0|[1-9][0-9]*)$/

/** What calls no function and looks nowhere: its own plan would have to be looked at besides that of the statement. */
function isPlain(node: Node): boolean {
  if ('A_Const' in node) return true
  if ('TypeCast' in node) return node.TypeCast.arg !== undefined && isPlain(node.TypeCast.arg)
  return 'A_ArrayExpr' in node && (node.A_ArrayExpr.elements ?? []).every(isPlain)
}

/** As text, as the parameter's type will read it; null for NULL, undefined for what only the server can tell. */
function constant(node: Node): string | null | undefined {
  if (!('A_Const' in node)) return undefined
  const { isnull, ival, fval, sval } = node.A_Const
  if (isnull === true) return null
  if (ival !== undefined) return String(ival.ival ?? 0)
  // Other spellings (1.50, 1e3, 007) are rounded and printed anew by EXECUTE's cast to the parameter's type.
  if (fval !== undefined) return WHOLE.test(fval.fval ?? '') ? fval.fval : undefined
  return sval?.sval ?? (sval === undefined ? undefined : '')
}

function words(text: string): ScanToken[] {
  return scanSync(text).tokens.filter(token => !token.tokenName.endsWith('COMMENT'))
}

/** With as many blanks as characters before `start` (bytes), so that positions in errors are those in the client's text. */
function blankBefore(text: string, start: number): string {
  const bytes = Buffer.from(text)
  const characters = [...bytes.toString('utf8', 0, start)].length
  return ' '.repeat(characters) + bytes.toString('utf8', start)
}
